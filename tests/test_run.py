"""Jobs become records: alone or together, the weights first, and the same numbers."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import CPU, jobs
from safetensors.torch import load_file

from fashionbench.config.study import Job
from fashionbench.core.logits import infer
from fashionbench.core.seeds import derive_seed
from fashionbench.data.split import Dataset, Split
from fashionbench.errors import StoreError, UsageError
from fashionbench.experiments.planning import plan
from fashionbench.experiments.run import run_job, run_together
from fashionbench.models.build import build_model
from fashionbench.models.checkpoint import checkpoint_path, load_model
from fashionbench.stats.metrics import classify
from fashionbench.store.records import RunRecord
from fashionbench.store.run_store import RunStore
from fashionbench.training.evaluation import compute_logits, evaluate
from fashionbench.training.loop import fit

SHORT = {"epochs": 1, "train_images": 640, "augmentation": "shift:2"}


def test_runs_together_are_the_runs_alone_without_a_time(
    tmp_path: Path, silhouettes: Dataset
) -> None:
    alone, together = (RunStore(tmp_path / name, create=True) for name in ("alone", "together"))
    asked = jobs("mlp", 3)
    singles = [run_job(job, silhouettes, CPU, alone) for job in asked]
    group = run_together(asked, silhouettes, CPU, together)
    for job, single, member in zip(asked, singles, group, strict=True):
        assert (single.train_seconds or 0) > 0
        assert member.train_seconds is None
        assert member.scores.accuracy == pytest.approx(single.scores.accuracy, abs=0.01)
        assert [epoch for epoch, _ in member.curve] == [epoch for epoch, _ in single.curve]
        assert together.load_run(job) is not None
        a, b = (load_file(checkpoint_path(store.folder, job)) for store in (alone, together))
        assert a.keys() == b.keys()
        for name in a:
            torch.testing.assert_close(a[name], b[name], rtol=0, atol=1e-3)


def trials(rates: tuple[float, ...]) -> list[Job]:
    [job] = jobs("mlp", 1)
    recipe = job.recipe.override(validation_images=600)
    return [
        job.model_copy(
            update={
                "recipe": recipe.override(learning_rate=rate),
                "seed": seed,
                "scored_on": "validation",
            }
        )
        for seed, rate in enumerate(rates)
    ]


def test_a_trial_is_scored_on_validation_images_alone_and_keeps_no_weights(
    tmp_path: Path, silhouettes: Dataset
) -> None:
    [trial] = trials((0.1,))
    unseen = replace(silhouettes, test=Split(silhouettes.test.images[:0], silhouettes.test.labels))
    record = run_job(trial, unseen, CPU, RunStore(tmp_path, create=True))
    assert len(record.predicted) == len(record.losses) == 600
    (_, loss, accuracy) = record.validation_curve[-1]
    assert (record.scores.loss, record.scores.accuracy) == pytest.approx((loss, accuracy))
    assert not (tmp_path / "checkpoints").exists()


def test_trials_at_rates_of_their_own_run_together_as_each_alone(
    tmp_path: Path, silhouettes: Dataset
) -> None:
    asked = trials((0.02, 0.1, 1e30, 0.05))
    store = RunStore(tmp_path / "together", create=True)
    together = run_together(asked, silhouettes, CPU, store)
    assert [record.outcome for record in together] == ["ok", "ok", "diverged", "ok"]
    for job, record in zip(asked, together, strict=True):
        alone = run_job(job, silhouettes, CPU, RunStore(tmp_path / "alone", create=True))
        assert store.load_run(job) is not None
        assert record.outcome == alone.outcome
        assert record.spent_seconds is not None
        assert record.spent_seconds > 0
        assert alone.spent_seconds == alone.train_seconds
        if record.outcome == "ok":
            assert record.scores.loss == pytest.approx(alone.scores.loss, rel=0.05)


def test_a_run_without_weights_has_no_record(tmp_path: Path, silhouettes: Dataset) -> None:
    [job] = jobs("v0", 1)
    store = RunStore(tmp_path, create=True)
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.raises(StoreError, match="checkpoints"):
        run_job(job, silhouettes, CPU, store)
    assert store.load_run(job) is None


FAULTY = """
from torch import nn

class Raising(nn.Linear):
    def __init__(self):
        super().__init__(784, 10)
    def forward(self, x):
        if self.training:
            raise RuntimeError("only when it is trained")
        return super().forward(x.flatten(1))

class Bare(nn.Module):
    def forward(self, x):
        return x.flatten(1)[:, :10]
"""


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("faulty.py:Raising", {}, r"cannot be trained: faulty.py, line 9: only when it is trained"),
        ("faulty.py:Bare", {}, r"has no parameters, so there is nothing to train"),
        ("mlp-wide", {"train_images": 33}, r"batch of one image; give another --batch-size"),
    ],
)
def test_what_goes_wrong_only_in_training_is_told_in_a_sentence(
    name: str,
    settings: dict[str, int],
    message: str,
    tmp_path: Path,
    silhouettes: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faulty.py").write_text(FAULTY)
    study = plan([name], ["default"], 1, dataset="silhouettes", epochs=1, **settings)
    ((job,),) = study.entries()
    with pytest.raises(UsageError, match=message) as refusal:
        run_job(job, silhouettes, CPU, RunStore(tmp_path / "runs", create=True))
    assert "\n" not in str(refusal.value)


def test_a_record_is_of_the_views_that_the_recipe_asks_for(
    tmp_path: Path, silhouettes: Dataset
) -> None:
    asked = plan(["mlp"], ["default"], 1, dataset="silhouettes", epochs=1, test_views="shifts")
    ((job,),) = asked.entries()
    store = RunStore(tmp_path, create=True)
    record = run_job(job, silhouettes, CPU, store)
    model = load_model(checkpoint_path(store.folder, job))
    shifts, one = (evaluate(model, silhouettes.test, views) for views in ("shifts", "one"))
    assert record.scores.loss == pytest.approx(shifts.loss, rel=1e-4)
    assert record.scores.loss != pytest.approx(one.loss, rel=1e-4)


def test_a_record_counts_the_images_whose_largest_logit_is_not_alone(
    tmp_path: Path, silhouettes: Dataset
) -> None:
    for model, tied in (("v1", True), ("mlp", False)):  # a ReLU on the logits makes rows of zeros
        study = plan(model, "default", [3], dataset="silhouettes", epochs=1, learning_rate=0.3)
        [[job]] = study.entries()
        store = RunStore(tmp_path / model, create=True)
        run_job(job, silhouettes, CPU, store)
        ties = store.load_run(job).ties
        logits = infer(load_model(checkpoint_path(store.folder, job)), silhouettes.test.images)
        alone = [(row == row.max()).sum() == 1 for row in logits]
        assert (ties.images > 0) == tied
        assert ties.images == alone.count(False)


def test_what_is_held_is_that_of_seed_0_and_what_varies_that_of_the_seed(
    tmp_path: Path, silhouettes: Dataset
) -> None:
    store = RunStore(tmp_path, create=True)

    def run(seed: int, vary: str = "all") -> RunRecord:
        [job] = plan("mlp", "default", [seed], dataset="silhouettes", vary=vary, **SHORT).entries()
        return run_job(job[0], silhouettes, CPU, store)

    whole = run(0)
    for vary in ("order", "weights", "augmentation"):
        same, other = run(0, vary), run(1, vary)
        assert same.job.key != whole.job.key
        np.testing.assert_array_equal(same.losses, whole.losses)
        assert not np.array_equal(other.losses, whole.losses)
        # By hand: the loop with one stream of seed 1, all others of seed 0.
        model = build_model("mlp", 1 if vary == "weights" else 0, len(silhouettes.classes))
        with pytest.MonkeyPatch.context() as patch:
            for name, source in (("batches", "order"), ("augment", "augmentation")):
                module = import_module(f"fashionbench.training.{name}")
                chosen = 1 if source == vary else 0
                patch.setattr(
                    module, "derive_seed", lambda _, *more, seed=chosen: derive_seed(seed, *more)
                )
            fit(model, silhouettes.train, other.job.recipe, 0)
        found = compute_logits(model, silhouettes.test.images)
        np.testing.assert_array_equal(classify(found), other.predicted)


def test_what_varies_alone_is_the_same_stacked(tmp_path: Path, silhouettes: Dataset) -> None:
    study = plan("mlp", "default", 3, dataset="silhouettes", vary="order", **SHORT)
    [asked] = study.entries()
    alone, together = (RunStore(tmp_path / name, create=True) for name in ("alone", "together"))
    singles = [run_job(job, silhouettes, CPU, alone) for job in asked]
    group = run_together(asked, silhouettes, CPU, together)
    for single, member in zip(singles, group, strict=True):
        np.testing.assert_allclose(member.losses, single.losses, atol=1e-3)
