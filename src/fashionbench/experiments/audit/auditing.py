"""audit(dataset): what is doubtful about a data set, with a page to send to colleagues."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fashionbench.config.recipe import Recipe, load_recipe
from fashionbench.config.study import Study
from fashionbench.core.files import as_path
from fashionbench.core.names import printable
from fashionbench.errors import Interrupted
from fashionbench.experiments.audit import JUDGES
from fashionbench.experiments.audit.asked import Asked
from fashionbench.experiments.call import write_call
from fashionbench.experiments.planning import default_folder, plan
from fashionbench.report.audit.audit_document import AuditDocument, DoublePair, Suspect

if TYPE_CHECKING:
    from fashionbench.experiments.planning import Model

__all__ = ["Audit", "audit", "default_audit_folder", "run_audit"]

logger = logging.getLogger(__name__)

SEEN, MOST_EPOCHS = 40_000, 40
"""Of few images the recipe `judge` takes more epochs: until it has seen so many, or that often."""


@dataclass(frozen=True, repr=False, eq=False)
class Audit:
    """A finished audit. In a notebook it shows what was found in brief."""

    document: AuditDocument
    """All findings, with the fields of audit.json as attributes."""
    folder: Path
    """Where audit.html and audit.json are."""

    def __repr__(self) -> str:
        return f"Audit({self.document.dataset!r}, in {self.folder})"

    @property
    def doubles(self) -> list[DoublePair]:
        """The pairs that are called double, the nearest first."""
        return self.document.doubles.pairs

    @property
    def suspects(self) -> list[Suspect]:
        """The images whose label may be wrong: test images first, the least probable first."""
        return self.document.labels.suspects if self.document.labels else []

    def to_json(self) -> str:
        """Return the document as audit.json holds it."""
        return self.document.to_json()

    def _repr_html_(self) -> str:
        from fashionbench.report.audit.audit_page import render_summary

        return render_summary(self.document)


def default_audit_folder(dataset: str) -> Path:
    """Return the folder for the audit of a data set, where the person names none."""
    return default_folder(dataset) / "audit"


def audit(
    dataset: str | Path = "fashion-mnist",
    *,
    model: "Model | Sequence[Model]" = JUDGES,
    recipe: str | Recipe = "judge",
    folds: int = 10,
    seeds: int | Sequence[int] = 2,
    deals: int = 20,
    split: str = "official",
    data_dir: Path | str | None = None,
    device: str = "auto",
    out: Path | str | None = None,
) -> Audit:
    """Audit a data set: find doubles and doubtful labels, and how lucky its split is.

    Writes audit.html, a page with pictures, and audit.json. Runs that are finished are kept in the
    folder and not made again.

    Args:
        dataset: A key of the table, or the path of a folder of your own.
        model: The models that judge labels, named as in `compare`.
        recipe: How they are trained.
        folds: In how many parts the training images are dealt; each is judged by models trained on
            the others. 0 finds doubles alone.
        seeds: How many seeds each model is trained from for every fold, or the seeds themselves.
        deals: On how many splits dealt anew the first model is trained, to see where the official
            one lies among them; 0 leaves that to nearest neighbours alone.
        split: "grouped" also writes split.csv: a split that keeps doubles together.
        data_dir: The folder of the data set's files.
        device: "auto", "cpu", "cuda" or "mps".
        out: The folder to write to; runs/DATASET/audit by default.

    Raises UsageError, DataError or StoreError for what cannot be done, and Interrupted after
    Ctrl-C.

    Examples:
        >>> found = fb.audit("silhouettes", folds=0)  # doubles alone
        >>> found.doubles[0].kind
        'near'
    """
    command, dataset = write_call(audit, locals()), str(dataset)
    folder = as_path("out", out or default_audit_folder(dataset))
    study = plan(model, recipe, seeds, dataset=dataset, device=device)
    asked = Asked.checked({"folds": folds, "deals": deals, "split": split}, "audit")
    return run_audit(study, asked, folder, data_dir, command)


def _train_long_enough(study: Study, images: int) -> Study:
    """Give the recipe `judge`, where nobody changed it, more epochs for few training images."""
    epochs = min(MOST_EPOCHS, SEEN // images)
    recipes = tuple(
        recipe.override(epochs=epochs)
        if recipe == load_recipe("judge") and epochs > recipe.epochs
        else recipe
        for recipe in study.recipes
    )
    return study.model_copy(update={"recipes": recipes})


def run_audit(
    study: Study, asked: Asked, folder: Path, data_dir: Path | str | None, command: str
) -> Audit:
    """Audit the data set of a study by its models; `command` is what gives the same again."""
    from fashionbench.experiments.audit.survey import survey
    from fashionbench.experiments.run import load_data_of
    from fashionbench.report.audit.audit_page import write_audit
    from fashionbench.training.devices import resolve_device

    if asked.folds:
        from fashionbench.experiments.audit.labels import check_cleanlab

        check_cleanlab()
    device = resolve_device(study.device)
    data = load_data_of(study, data_dir)
    for note in data.notes:
        logger.warning(note)
    study = _train_long_enough(study, len(data.train))
    try:
        document = survey(study, data, folder, command, asked, device)
    except KeyboardInterrupt:
        raise Interrupted(
            f"Interrupted: what is finished is kept in {printable(folder)}. To go on: {command}"
        ) from None
    pictures = {"train": data.train.images.numpy(), "test": data.test.images.numpy()}
    write_audit(document, pictures, folder)
    return Audit(document, folder)
