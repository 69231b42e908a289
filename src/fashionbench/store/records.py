"""What is kept: of a run all that a comparison needs to know, of a data set its test images."""

import hashlib
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from fashionbench.config.study import Job
from fashionbench.core.machine import Environment
from fashionbench.stats.metrics import Scores, Ties

__all__ = ["Engine", "Outcome", "RunRecord", "TestSet", "digest_images"]

Engine = Literal["torch", "kernels"]
Outcome = Literal["ok", "collapsed", "diverged"]
"""collapsed: one class called for all images; diverged: the loss is no number."""


@dataclass(frozen=True, repr=False)
class RunRecord:
    """One finished run, with all that a comparison needs to know of it. N test images.

    A trial of tuning was never shown those: what is said of them here holds for the N validation
    images, as its job says.
    """

    # How the store checks what it reads.
    __pydantic_config__: ClassVar = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    job: Job
    label: str
    device: str
    outcome: Outcome
    epochs: int
    """Epochs run; fewer than asked for where training diverged or stopped early."""
    parameters: int
    flops_per_image: int | None
    """None where they cannot be counted."""
    train_seconds: float | None
    """Wall clock of the training loop; None where the run was not alone on its device."""
    other_seconds: dict[str, float]
    """Beside the training loop: warm_up, validation, test."""
    curve: list[tuple[float, float]]
    """Training loss: epochs passed, mean loss of the batches since the point before."""
    validation_curve: list[tuple[int, float, float]]
    """Epoch, validation loss, validation accuracy; empty where none are held out."""
    scores: Scores
    dead_classes: list[int]
    """Classes that the run never predicts on the test set."""
    environment: Environment
    recorded_at: str
    best_epoch: int | None
    """The epoch whose weights were restored and tested; None where they are the last one's."""
    predicted: NDArray[np.uint8]
    """(N,) the predicted class of each test image."""
    losses: NDArray[np.float32]
    """(N,) the cross-entropy of each test image, in nats."""
    engine: Engine = "torch"
    """What computed the steps of training: torch, or the C kernels for rows of small layers."""
    first_weights: str = ""
    """Runs that have this in common begin with the same weights; "" where that is not known."""
    ties: Ties | None = None
    """Test images on which several classes share the largest logit; None in older records."""
    train_images: int | None = None
    """How many images it was trained on; None in older records."""
    remarks: dict[str, str] = field(default_factory=dict)
    """What a reader must know of the model, by kind; a sentence each, without its subject."""
    accuracy_one_by_one: float | None = None
    """Of test images shown one at a time, where an answer depends on those beside an image."""
    dataset_notes: list[str] = field(default_factory=list)
    """What a reader must know of the data set's pictures, a sentence each."""
    spent_seconds: float | None = None
    """Wall clock of training that the run accounts for, of M trained together an M-th; None in
    older records."""

    def __repr__(self) -> str:
        job = self.job
        about = f"{job.model!r}, recipe={job.recipe.label!r}, seed={job.seed}"
        return f"RunRecord({about}, accuracy={self.scores.accuracy:.4f}, outcome={self.outcome!r})"

    @property
    def validation_accuracy(self) -> float | None:
        """Of the weights that were tested; None where no images are held out."""
        if not self.validation_curve:
            return None
        return self.validation_curve[(self.best_epoch or self.epochs) - 1][2]


@dataclass(frozen=True)
class TestSet:
    """The test images as a report needs them: (N, H, W) or (N, 3, H, W) uint8, (N,) labels."""

    __test__ = False  # not a class of tests, whatever pytest makes of its name

    name: str
    title: str
    classes: tuple[str, ...]
    images: NDArray[np.uint8] = field(repr=False)
    labels: NDArray[np.uint8] = field(repr=False)

    @property
    def digest(self) -> str:
        """What tells these images and labels from all others, wherever they were read."""
        return digest_images(self.images, self.labels)


def digest_images(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> str:
    """Digest images, (N, H, W) or with channels, and (N,) labels: SHA-256 of shape and both."""
    digest = hashlib.sha256(" ".join([*map(str, images.shape), ""]).encode())
    digest.update(images.tobytes())
    digest.update(labels.astype(np.uint8).tobytes())
    return digest.hexdigest()
