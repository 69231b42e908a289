"""A judge trained on splits dealt anew, beside the same seeds on the official split.

A pair of runs that is done is kept in a file, under a key of all that can change it.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fashionbench.config.study import Job
from fashionbench.core.files import write_atomically
from fashionbench.core.progress import progress_bar
from fashionbench.data.split import Dataset, deal_anew
from fashionbench.experiments.audit.trainer import Trainer
from fashionbench.training.evaluation import evaluate

__all__ = ["Dealt", "judge_deals"]


@dataclass(frozen=True)
class Dealt:
    """Test accuracies of a judge, a pair of runs from one seed for each deal."""

    official: NDArray[np.float64]
    dealt: NDArray[np.float64]


def judge_deals(job: Job, data: Dataset, deals: int, folder: Path, device: torch.device) -> Dealt:
    """Train the judge once on the official split and once on a deal, from so many seeds.

    Pairs that `folder` holds are not trained again.
    """
    kept = folder / job.model_copy(update={"seed": 0}).key
    pairs = []
    with progress_bar(total=deals, desc=f"deals, {job.model}", unit="deal") as bar:
        for number in range(1, deals + 1):
            path = kept / f"deal-{number}.json"
            pair = _load(path)
            if pair is None:
                numbered = job.model_copy(update={"seed": number})
                pair = [_judge(numbered, deal_anew(data, split), device) for split in (0, number)]
                write_atomically(path, json.dumps(pair).encode())
            pairs.append(pair)
            bar.update()
    official, dealt = np.array(pairs, float).T
    return Dealt(official, dealt)


def _load(path: Path) -> list[float] | None:
    """Read a pair of runs that is done; None where there is no file, or a damaged one."""
    try:
        official, dealt = map(float, json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return [official, dealt]


def _judge(job: Job, data: Dataset, device: torch.device) -> float:
    (model,) = Trainer([job], data, device).fit(data.train.to(device))
    return evaluate(model, data.test, job.recipe.test_views).accuracy
