"""Runs on splits dealt anew: what they are, and that finished ones are kept."""

from pathlib import Path

import numpy as np
import pytest
from factories import CPU

from fashionbench.data.split import Dataset, Split, deal_anew
from fashionbench.experiments.audit import dealt as module
from fashionbench.experiments.audit.dealt import judge_deals
from fashionbench.experiments.audit.trainer import Trainer
from fashionbench.experiments.planning import plan
from fashionbench.training.evaluation import evaluate


def test_pairs_of_runs_are_made_and_kept(
    silhouettes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = Split(silhouettes.train.images[:300], silhouettes.train.labels[:300])
    test = Split(silhouettes.test.images[:60], silhouettes.test.labels[:60])
    data = Dataset("silhouettes", "few", silhouettes.classes, train, test)
    (job,) = next(plan("linear", "judge", 1, dataset="silhouettes", epochs=1).entries())
    found = judge_deals(job, data, 2, tmp_path, CPU)
    again = job.model_copy(update={"seed": 2})
    for accuracies, split in ((found.official, 0), (found.dealt, 2)):
        of_split = deal_anew(data, split)
        (model,) = Trainer([again], of_split, CPU).fit(of_split.train)
        assert accuracies[1] == pytest.approx(evaluate(model, of_split.test).accuracy)
    monkeypatch.setattr(module, "_judge", lambda *arguments: 0.5)
    more = judge_deals(job, data, 3, tmp_path, CPU)
    assert (more.dealt[:2] == found.dealt).all()
    assert more.dealt[2] == 0.5
    assert np.isfinite(more.official).all()
    damaged = next(tmp_path.rglob("deal-1.json"))
    damaged.write_bytes(b"[0.")
    assert judge_deals(job, data, 2, tmp_path, CPU).dealt.tolist() == [0.5, found.dealt[1]]
