"""Finished runs of a comparison -> TensorBoard, MLflow or trackio: one run each, written once.

They are written from the records when the comparison is finished, so that how seeds ran together
makes no difference. Which runs were written is kept in the run folder.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fashionbench.config.recipe import SETTINGS, format_value
from fashionbench.core.files import slug, write_atomically
from fashionbench.errors import MissingPackage, StoreError, UsageError
from fashionbench.report.comparison import Comparison
from fashionbench.store.records import RunRecord

if TYPE_CHECKING:
    from fashionbench.training.history import History

__all__ = ["TRACKERS", "TrackedRun", "find_tracker", "list_epochs", "track_runs"]

KEPT = "tracked.json"
"""Of the run folder: the keys of the runs that each tracker has."""


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker is told of a run."""

    name: str
    group: str
    """What its seeds have in common."""
    parameters: Mapping[str, str | int | float]
    curve: list[tuple[int, dict[str, float]]]
    """After each epoch its losses, and the accuracy on validation images where there are any."""
    scores: dict[str, float]
    """On the test set, and the time; what is no number is left out."""

    @classmethod
    def of(cls, record: RunRecord, name: str) -> "TrackedRun":
        """Read a run's record; `name` is what the comparison calls its row."""
        job, recipe = record.job, record.job.recipe
        settings: dict[str, str | int | float] = {
            key: value if isinstance(value, int | float) else format_value(value)
            for key in SETTINGS
            if (value := getattr(recipe, key)) is not None
        }
        about: dict[str, str | int | float] = {
            "model": job.model,
            "recipe": recipe.label,
            "seed": job.seed,
            "dataset": job.dataset,
            "parameters": record.parameters,
        }
        scores = {
            "test/accuracy": record.scores.accuracy,
            "test/loss": record.scores.loss,
            "train_seconds": record.train_seconds,
        }
        return cls(
            name=f"{name} seed {job.seed}",
            group=name,
            parameters=about | settings,
            curve=[*enumerate(list_epochs(record), start=1)],
            scores={key: value for key, value in scores.items() if value is not None},
        )


def list_epochs(run: "RunRecord | History") -> list[dict[str, float]]:
    """Return what trackers are told of each epoch: its mean loss, and the validation scores."""
    checks = {epoch: (loss, accuracy) for epoch, loss, accuracy in run.validation_curve}
    rows = []
    for epoch in range(1, run.epochs + 1):
        losses = [loss for at, loss in run.curve if epoch - 1 < at <= epoch]
        row = {"training/loss": sum(losses) / len(losses)} if losses else {}
        if epoch in checks:
            row |= dict(zip(("validation/loss", "validation/accuracy"), checks[epoch], strict=True))
        rows.append(row)
    return rows


Write = Callable[[TrackedRun], None]


def _open_tensorboard(folder: Path) -> Write:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise MissingPackage("--track", "tensorboard", extra="track") from None

    def write(run: TrackedRun) -> None:
        with SummaryWriter(str(folder / "tensorboard" / slug(run.name))) as writer:
            for epoch, values in run.curve:
                for name, value in values.items():
                    writer.add_scalar(name, value, epoch)
            writer.add_hparams(dict(run.parameters), run.scores, run_name=".")

    return write


def _open_mlflow(folder: Path) -> Write:
    try:
        from mlflow.entities import Metric, Param
        from mlflow.tracking import MlflowClient
    except ImportError:
        raise MissingPackage("--track", "mlflow", extra="mlflow") from None
    own = f"sqlite:///{(folder / 'mlflow.db').resolve()}"
    client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI", own))
    name = f"fashionbench {folder.name}"

    def write(run: TrackedRun) -> None:
        known = client.get_experiment_by_name(name)
        experiment = known.experiment_id if known else client.create_experiment(name)
        started = client.create_run(experiment, run_name=run.name, tags={"group": run.group})
        rows = [*run.curve, (len(run.curve), run.scores)]
        metrics = [
            Metric(key, value, 0, step) for step, values in rows for key, value in values.items()
        ]
        parameters = [Param(key, str(value)) for key, value in run.parameters.items()]
        client.log_batch(started.info.run_id, metrics=metrics, params=parameters)
        client.set_terminated(started.info.run_id)

    return write


def _open_trackio(folder: Path) -> Write:
    try:
        import trackio
    except ImportError:
        raise MissingPackage("--track", "trackio", extra="trackio") from None

    def write(run: TrackedRun) -> None:
        trackio.init(
            project=slug(f"fashionbench-{folder.name}"),
            name=run.name,
            group=run.group,
            config=dict(run.parameters),
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        for epoch, values in [*run.curve, (len(run.curve) + 1, run.scores)]:
            if values:
                trackio.log(values, step=epoch)
        trackio.finish()

    return write


TRACKERS: Mapping[str, Callable[[Path], Write]] = {
    "tensorboard": _open_tensorboard,
    "mlflow": _open_mlflow,
    "trackio": _open_trackio,
}


def find_tracker(name: str, folder: Path) -> Write:
    """Return what writes runs to a tracker, into `folder` where that has no place of its own.

    Raises UsageError for one that is not known or not installed.
    """
    if name not in TRACKERS:
        raise UsageError(f"Runs cannot be tracked by {name!r}; there are {', '.join(TRACKERS)}.")
    return TRACKERS[name](folder)


def track_runs(comparison: Comparison, name: str) -> int:
    """Write the finished runs that a tracker does not have yet; return how many these were.

    Raises UsageError as `find_tracker`, and StoreError if the tracker cannot write.
    """
    write, path = find_tracker(name, comparison.folder), comparison.folder / KEPT
    kept: dict[str, list[str]] = json.loads(path.read_bytes()) if path.is_file() else {}
    known, written = {*kept.get(name, [])}, 0
    for entry in comparison.entries:
        for record in entry.runs:
            key = f"{record.job.key} {record.device}"
            if key in known:
                continue
            try:
                write(TrackedRun.of(record, comparison.name(entry)))
            except Exception as error:  # whatever another library raises
                reason = (str(error) or type(error).__name__).splitlines()[0]
                raise StoreError(f"{name} cannot write the runs ({reason}).") from error
            known.add(key)
            written += 1
            text = json.dumps(kept | {name: sorted(known)}, indent=2)
            write_atomically(path, text.encode())
    return written
