"""The rows of a comparison: entries, which are models by a recipe, and pairs of them."""

import math
import statistics
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from fashionbench.stats.difference import (
    Difference,
    error_of_test_set,
    expected_sd,
    summarize,
    time_ratio,
)
from fashionbench.stats.verdict import Verdict
from fashionbench.store.records import Outcome, RunRecord

__all__ = ["Entry", "Pair"]


@dataclass(frozen=True)
class Entry:
    """One row of the table: a model with a recipe, and its runs in the order of their seeds."""

    runs: tuple[RunRecord, ...]
    recipe: str
    """What it is called in this comparison; runs may have been made under another name."""

    @property
    def model(self) -> str:
        return self.runs[0].job.model

    @property
    def label(self) -> str:
        """The class's name."""
        return self.runs[0].label

    @property
    def starts_alike(self) -> bool:
        """Whether all seeds are known to begin with the same weights."""
        starts = {run.first_weights for run in self.runs}
        return len(self.runs) > 1 and len(starts) == 1 and starts != {""}

    @property
    def runs_alike(self) -> bool:
        """Whether seeds make no difference at all."""
        first = self.runs[0]
        return len(self.runs) > 1 and all(
            np.array_equal(run.losses, first.losses) for run in self.runs
        )

    @property
    def notes(self) -> list[str]:
        """The kinds of what a reader must know of this row, in a word or two each."""
        alike = ["equal runs"] if self.runs_alike else ["one start"] if self.starts_alike else []
        return alike + list(dict.fromkeys(kind for run in self.runs for kind in run.remarks))

    @property
    def one_by_one(self) -> list[float]:
        """Accuracies on images shown one at a time, where answers depend on those beside them."""
        values = (run.accuracy_one_by_one for run in self.runs)
        return [value for value in values if value is not None]

    @property
    def accuracies(self) -> list[float]:
        return [run.scores.accuracy for run in self.runs]

    @property
    def validation_accuracies(self) -> list[float]:
        """Of the runs whose recipe holds out validation images."""
        return [value for run in self.runs if (value := run.validation_accuracy) is not None]

    @property
    def seconds(self) -> list[float]:
        """Training times of the runs that were alone on their device."""
        return [run.train_seconds for run in self.runs if run.train_seconds is not None]

    def correct(self, labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """(S, N): which run is right about which test image."""
        predicted = np.stack([run.predicted for run in self.runs])
        return np.equal(predicted, labels)

    def summary(self, labels: NDArray[np.uint8]) -> dict[str, Any]:
        """The entry as the JSON document has it."""
        first = self.runs[0]
        correct = self.correct(labels)
        return {
            "model": self.model,
            "recipe": self.recipe,
            "label": self.label,
            "parameters": first.parameters,
            "flops_per_image": first.flops_per_image,
            "accuracy": asdict(summarize(self.accuracies)),
            "loss": asdict(summarize([run.scores.loss for run in self.runs])),
            "validation_accuracy": asdict(summarize(self.validation_accuracies)),
            "macro_f1": asdict(summarize([run.scores.macro_f1 for run in self.runs])),
            "calibration_error": asdict(
                summarize([run.scores.calibration_error for run in self.runs])
            ),
            "train_seconds": asdict(summarize(self.seconds))
            | {"median": statistics.median(self.seconds) if self.seconds else None},
            "test_set_error": error_of_test_set(correct),
            "expected_sd": expected_sd(correct),
            "outcomes": {
                outcome: sum(run.outcome == outcome for run in self.runs)
                for outcome in get_args(Outcome)
            },
            "dead_classes": sorted({index for run in self.runs for index in run.dead_classes}),
            "accuracy_one_by_one": asdict(summarize(self.one_by_one)),
            "same_first_weights": self.starts_alike,
            "notes": self.notes,
            "runs": [
                {
                    "seed": run.job.seed,
                    "accuracy": run.scores.accuracy,
                    "loss": run.scores.loss if math.isfinite(run.scores.loss) else None,
                    "macro_f1": run.scores.macro_f1,
                    "calibration_error": run.scores.calibration_error,
                    "validation_accuracy": run.validation_accuracy,
                    "train_seconds": run.train_seconds,
                    "epochs": run.epochs,
                    "best_epoch": run.best_epoch,
                    "outcome": run.outcome,
                    "dead_classes": run.dead_classes,
                    "accuracy_one_by_one": run.accuracy_one_by_one,
                    "remarks": list(run.remarks),
                }
                for run in self.runs
            ],
        }


@dataclass(frozen=True)
class Pair:
    """Two entries and what can be said of their difference, a minus b."""

    a: str
    b: str
    first: Entry
    second: Entry
    found: Difference
    """Its p-values are adjusted for the number of pairs (Holm)."""
    verdict: Verdict
    mcnemar: float | None
    """Where each has one run: p-value of the two networks being right equally often."""

    def summary(self) -> dict[str, Any]:
        """The pair as the JSON document has it."""
        times = time_ratio(self.first.seconds, self.second.seconds)
        return {
            "a": self.a,
            "b": self.b,
            **{
                key: value if value is not None and math.isfinite(value) else None
                for key, value in asdict(self.found).items()
            },
            "verdict": self.verdict.word,
            "in_words": str(self.verdict),
            "seeds_needed": self.verdict.seeds,
            "beyond_these_images": self.verdict.beyond_these_images,
            "beyond_these_first_weights": not self.verdict.one_start,
            "mcnemar_p_value": self.mcnemar,
            "time_ratio": None if times is None else asdict(times),
        }
