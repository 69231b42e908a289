"""Several run folders -> one: those of a class, a lab, or of machines that share no folder.

Runs are told apart by their keys, so that merging twice changes nothing. What cannot be compared
is refused in a sentence: other data, another protocol, other things asked.
"""

import logging
import shutil
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from fashionbench.config.recipe import Recipe
from fashionbench.config.study import Study
from fashionbench.errors import StoreError, UsageError
from fashionbench.experiments.cluster.inbox import take_in_if_idle
from fashionbench.experiments.result import Result
from fashionbench.store.records import RunRecord, TestSet
from fashionbench.store.run_store import RunStore

__all__ = ["merge_runs", "merge_studies"]

logger = logging.getLogger(__name__)

AT_ONCE = 100
"""Runs that become one transaction of the store."""
MERGED = {
    "models",
    "model_sources",
    "called",
    "origins",
    "recipes",
    "recipe_sources",
    "trained_by",
    "skipped",
    "left_out",
    "seeds",
}
"""What is put together; in all else that a study says the folders must agree."""
FREE = {"device", "max_seeds", "dataset"}
"""What the folders may differ in: the same data of a person's own may lie elsewhere."""


def merge_runs(folders: Sequence[Path], out: Path, command: str) -> Result:
    """Merge run folders into `out`, with their weights, and return the comparison of all runs.

    What `out` holds already stays. Raises UsageError for folders that cannot be compared, and
    StoreError for one that cannot be read.
    """
    known = [out] if _holds_a_study(out) else []
    sources = [*known, *(folder for folder in folders if folder.resolve() != out.resolve())]
    for folder in sources:
        take_in_if_idle(folder)
    stores = {folder: RunStore(folder) for folder in sources}
    studies = {folder: stores[folder].load_study()[0] for folder in sources}
    study = merge_studies(studies)
    test_set = _find_test_set(stores, studies)
    store = RunStore(out, create=True)
    if test_set is not None:
        store.save_test_set(test_set)
    for folder in sources:
        if folder != out:
            _copy_runs(stores[folder], store)
    store.save_study(study, command)
    result = Result.collect(store, study, command)
    _tell_of_torch(run for entry in result.entries for run in entry.runs)
    return result


def _holds_a_study(folder: Path) -> bool:
    try:
        RunStore(folder).load_study()
    except StoreError:
        return False
    return True


def merge_studies(studies: dict[Path, Study]) -> Study:
    """Put together what was asked in several folders. Raises UsageError where they disagree."""
    (first_folder, first), *others = studies.items()
    for folder, study in others:
        for name in Study.model_fields.keys() - MERGED - FREE:
            one, other = getattr(first, name), getattr(study, name)
            if one != other:
                raise UsageError(
                    f"{first_folder} and {folder} cannot be compared: {name} is {one} in the one "
                    f"and {other} in the other."
                )
    models = dict[tuple[str, str], tuple[str, str]]()
    recipes = list[tuple[Recipe, str]]()
    trained = dict[tuple[str, str], set[int]]()
    for folder, study in studies.items():
        origins = study.origins or (folder.name,) * len(study.models)
        called = study.called or ("",) * len(study.models)
        sources = study.model_sources or ("",) * len(study.models)
        for entry in study.entries():
            job = entry[0]
            position = _find_recipe(recipes, job.recipe, job.recipe_source, folder)
            trained.setdefault((job.model, job.model_source), set()).add(position)
        for place in sorted({model for model, _ in study.places.values()}):
            about = (called[place], origins[place])
            models.setdefault((study.models[place], sources[place]), about)
    devices = {study.device for study in studies.values()}
    return first.model_copy(
        update={
            "models": tuple(model for model, _ in models),
            "model_sources": tuple(source for _, source in models),
            "called": tuple(name for name, _ in models.values()),
            "origins": tuple(origin for _, origin in models.values()),
            "recipes": tuple(recipe for recipe, _ in recipes),
            "recipe_sources": tuple(source for _, source in recipes),
            "trained_by": tuple(tuple(sorted(trained[model])) for model in models),
            "left_out": tuple(
                dict.fromkeys(each for study in studies.values() for each in study.left_out)
            ),
            "skipped": (),
            "seeds": tuple(sorted({seed for study in studies.values() for seed in study.seeds})),
            "device": devices.pop() if len(devices) == 1 else "auto",
            "max_seeds": max(study.max_seeds for study in studies.values()),
        }
    )


def _find_recipe(
    recipes: list[tuple[Recipe, str]], recipe: Recipe, source: str, folder: Path
) -> int:
    """Return the position of a recipe, which is added if it is new."""
    for position, (known, of) in enumerate(recipes):
        if known.unnamed == recipe.unnamed and of == source:
            return position
        if known.label == recipe.label:
            raise UsageError(
                f"The recipe {recipe.label} of {folder} is another than that of the folders before "
                "it; give one of them another name and run that comparison again."
            )
    recipes.append((recipe, source))
    return len(recipes) - 1


def _find_test_set(stores: dict[Path, RunStore], studies: dict[Path, Study]) -> TestSet | None:
    """Find the test images, which are the same for all; None where no run is finished."""
    found = {folder: stores[folder].load_test_set(studies[folder].test_set) for folder in stores}
    whole = {folder: test_set for folder, test_set in found.items() if test_set is not None}
    if not whole:
        return None
    first = next(iter(whole))
    for folder, test_set in whole.items():
        if not _are_equal(test_set, whole[first]):
            raise UsageError(
                f"{first} and {folder} cannot be compared: they were scored on other test images."
            )
    return whole[first]


def _are_equal(one: TestSet, other: TestSet) -> bool:
    return (
        one.classes == other.classes
        and np.array_equal(one.images, other.images)
        and np.array_equal(one.labels, other.labels)
    )


def _copy_runs(source: RunStore, store: RunStore) -> None:
    """Copy the runs that the store lacks; their weights first, so that a run has its weights."""
    known = store.list_runs()
    new = (run for run in source.packed_runs() if (run.key, run.device) not in known)
    while part := [*islice(new, AT_ONCE)]:
        for run in part:
            _copy_weights(run.unpack(), source.folder, store.folder)
        store.save_packed(part)


def _copy_weights(record: RunRecord, source: Path, out: Path) -> None:
    from fashionbench.models.checkpoint import checkpoint_path  # brings torch

    path = checkpoint_path(source, record.job, record.device)
    kept = checkpoint_path(out, record.job, record.device)
    for one, other in ((path.with_suffix(".json"), kept.with_suffix(".json")), (path, kept)):
        if one.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            temporary = other.with_name(f".{other.name}.part")
            shutil.copyfile(one, temporary)
            temporary.replace(other)


def _tell_of_torch(runs: Iterable[RunRecord]) -> None:
    versions = sorted({run.environment.versions.get("torch", "unknown") for run in runs})
    if len(versions) > 1:
        logger.warning(
            "These runs were made by different versions of torch: %s.", ", ".join(versions)
        )
