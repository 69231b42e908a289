"""Which trained model is meant where you name a run folder, one of its models, or nothing."""

from math import inf, isfinite
from pathlib import Path
from statistics import fmean

from fashionbench.errors import StoreError
from fashionbench.models.checkpoint import checkpoint_path
from fashionbench.report.comparison import Comparison
from fashionbench.report.entries import Entry

__all__ = ["PHOTO_MODEL", "find_best_checkpoint", "find_checkpoint", "find_newest_run_folder"]

PHOTO_MODEL = Path(__file__).parent / "photo" / "model.safetensors"
"""The shipped model, made for photos; its recipe is in the file beside it."""
_OF_FILES = {".safetensors", ".pth", ".pt", ".ckpt", ".bin"}
"""What the names of files of weights end in."""


def find_checkpoint(where: Path | None = None) -> Path:
    """Return the checkpoint that `where` means: a file, or the best run of a run folder.

    `FOLDER:NAME` is the best run of one model, by any name that the report has for it; a bare NAME
    is that of the newest folder in runs/. None means the photo model, since it is photos that
    people bring: it is right about many more of them than a model that was trained for the test
    images. `photo` means it too, unless a file or folder has that name. Raises StoreError for a
    folder without a trained model, and UsageError for one without a model of that name.
    """
    if where is None or (where == Path("photo") and not where.exists()):
        where = PHOTO_MODEL
    try:
        is_folder = where.is_dir()
    except OSError as error:
        raise StoreError(f"{where} cannot be read ({error.strerror}).") from None
    if is_folder:
        return find_best_checkpoint(where)
    folder, name = (None, "") if where.exists() else _split(str(where))
    return where if folder is None else find_best_checkpoint(folder, name)


def _split(text: str) -> tuple[Path | None, str]:
    """Take `FOLDER:NAME` apart; of a name alone the folder is the newest, of a path there is none.

    Names and paths may hold colons themselves.
    """
    colons = [at for at, letter in enumerate(text) if letter == ":"]
    for at in colons:
        if Path(text[:at]).is_dir():
            return Path(text[:at]), text[at + 1 :]
    is_path = Path(text).name != text or Path(text).suffix in _OF_FILES
    return (None if is_path else find_newest_run_folder()), text


def find_newest_run_folder(runs: Path = Path("runs")) -> Path | None:
    """Return the run folder in `runs` whose store was written last; None if there is none.

    A folder without checkpoints, such as a failed download leaves, does not count.
    """
    stores = sorted(runs.glob("*/store.sqlite"), key=lambda path: path.stat().st_mtime)
    folders = [path.parent for path in stores if path.with_name("checkpoints").exists()]
    return folders[-1] if folders else None


def find_best_checkpoint(folder: Path, name: str | None = None) -> Path:
    """Return the checkpoint of a folder's best run, or the one that `fashionbench train` wrote.

    With a name, it is the best run of the model of that name. The best run has the highest
    validation accuracy. If no run held out validation images, it is the first seed of the model
    whose training loss is lowest at the end, on average. The test set chooses nothing, so that a
    model's test accuracy stays an honest estimate.
    """
    trained = folder / "model.safetensors"
    if name is None and trained.exists():
        return trained
    comparison = Comparison.load(folder)
    entries = comparison.entries if name is None else comparison.find_model(name)
    validated = [run for entry in entries for run in entry.runs if run.validation_accuracy]
    if validated:
        best = max(validated, key=lambda run: run.validation_accuracy or 0)
    else:
        best = min(entries, key=_average_training_loss).runs[0]
    return checkpoint_path(folder, best.job, best.device)


def _average_training_loss(entry: Entry) -> float:
    """Return the mean over the runs of the loss at the end; infinite if one diverged or has none.

    What was only scored has none.
    """
    losses = [run.curve[-1][1] if run.curve else inf for run in entry.runs]
    return fmean(losses) if all(map(isfinite, losses)) else inf
