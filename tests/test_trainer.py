"""A trainer of judges: the models that each seed gives alone, by one way for all parts."""

import pytest
import torch
from factories import CPU

from fashionbench.data.split import Dataset, Split
from fashionbench.experiments.audit import trainer as module
from fashionbench.experiments.audit.trainer import Trainer
from fashionbench.experiments.gate import builder
from fashionbench.experiments.planning import plan
from fashionbench.experiments.strategy import Choice
from fashionbench.training.loop import fit


@pytest.mark.parametrize("choice", [Choice("serial", ""), Choice("stacked", "", 2)])
def test_each_seed_learns_what_it_learns_alone_and_the_way_is_chosen_once(
    silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch, choice: Choice
) -> None:
    chosen = []
    monkeypatch.setattr(module, "choose", lambda *_: chosen.append(1) or choice)
    images, labels = silhouettes.train.images, silhouettes.train.labels
    parts = [Split(images[start : start + 100], labels[start : start + 100]) for start in (0, 100)]
    jobs = next(plan("linear", "judge", 3, dataset="silhouettes", epochs=1).entries())
    trainer = Trainer(jobs, silhouettes, CPU)
    for part in parts:
        for job, model in zip(jobs, trainer.fit(part), strict=True):
            alone = builder(job, silhouettes)(job.seed)
            fit(alone, part, job.recipe, job.seed, device=CPU)
            for found, expected in zip(model.parameters(), alone.parameters(), strict=True):
                assert torch.allclose(found, expected, atol=1e-5)
    assert len(chosen) == 1


def test_a_judge_of_one_seed_is_trained_without_a_trial(
    silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "choose", lambda *_: pytest.fail("nothing is to be chosen"))
    part = Split(silhouettes.train.images[:100], silhouettes.train.labels[:100])
    (job,) = next(plan("linear", "judge", 1, dataset="silhouettes", epochs=1).entries())
    (model,) = Trainer([job], silhouettes, CPU).fit(part)
    assert isinstance(model, torch.nn.Module)
