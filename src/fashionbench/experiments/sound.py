"""The models of a comparison that can be compared: faults are told all at once, the others run."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fashionbench.config.model_spec import ModelSpec
from fashionbench.config.study import Job, Study
from fashionbench.errors import FashionbenchError, UsageError

if TYPE_CHECKING:
    from fashionbench.experiments.launch import Bench

__all__ = ["find_faults", "is_custom", "refuse", "telling_faults", "without_rows"]


def is_custom(model: Any) -> bool:
    """Tell whether a person wrote it: a fault of it stops no other; a mistyped name does."""
    return not isinstance(model, str) or ":" in ModelSpec.parse(model).base


@contextmanager
def telling_faults(model: Any) -> Iterator[None]:
    """Turn whatever a person's own model raises, in whichever of its methods, into a UsageError."""
    try:
        yield
    except FashionbenchError:
        raise
    except (Exception, SystemExit) as error:
        if not is_custom(model):
            raise
        from fashionbench.core.own_code import describe_error

        name = model if isinstance(model, str) else model.__qualname__
        raise UsageError(f"{name} cannot be compared: {describe_error(error)}") from None


def refuse(faults: Mapping[str, str]) -> None:
    """Raise UsageError, which tells all faults; do nothing where there are none."""
    texts = dict.fromkeys(faults.values())
    if len(texts) == 1:
        raise UsageError(*texts)
    if faults:
        lines = [f"- {text}" for text in texts]
        raise UsageError("\n".join([f"{len(faults)} models cannot be compared:", *lines]))


def without_rows(study: Study, faults: Mapping[int, str], *, least: int = 2) -> Study:
    """Return the study without rows that have a fault, by their numbers; it keeps the faults.

    Raises UsageError, which tells all faults, where fewer rows than `least` are left.
    """
    if not faults:
        return study
    numbers, places = [*study.places], [*study.places.values()]
    left_out = {**dict(study.left_out), **_name_faults(study, faults)}
    if len(places) - len(faults) < least:
        refuse(left_out)
    changes: dict[str, Any] = {
        "skipped": (*study.skipped, *(numbers[row] for row in faults)),
        "left_out": tuple(left_out.items()),
    }
    if study.tuning is not None:
        dealt = (each for row, each in enumerate(study.tuning.dealt) if row not in faults)
        changes["tuning"] = study.tuning.model_copy(update={"dealt": tuple(dealt)})
    return study.model_copy(update=changes)


def _name_faults(study: Study, faults: Mapping[int, str]) -> dict[str, str]:
    """Name each fault by its model, and by the recipe too where the model has others."""
    named, names, places = dict[str, str](), study.names, [*study.places.values()]
    recipes = [recipe.name for recipe in study.recipes]
    if len({*recipes}) < len(recipes):
        recipes = [recipe.label for recipe in study.recipes]
    for row, fault in faults.items():
        model, recipe = places[row]
        others = [faults.get(other) for other, place in enumerate(places) if place[0] == model]
        more = "" if {*others} == {fault} else f" {recipes[recipe]}"
        named[f"{names[model]}{more}"] = fault
    return named


def find_faults(study: Study, open_bench: "Callable[[], Bench]") -> Study:
    """Return the study without rows whose model cannot be built or trained.

    What cannot be built is found before data is read. Raises UsageError where fewer than two rows
    are left, and for a fault of a model that is no person's own.
    """
    from fashionbench.data.datasets import dataset_entry
    from fashionbench.models.build import build_model
    from fashionbench.models.table import MODELS

    def build(job: Job) -> None:
        if job.model not in MODELS:
            classes = len(dataset_entry(study.dataset).classes)
            build_model(job.model, classes=classes, shape=study.shape, tell=lambda text: None)

    study = _without(study, build)
    bench = open_bench()
    return _without(study, bench.examine)


def _without(study: Study, check: "Callable[[Job], object]") -> Study:
    faults = {}
    for row, (job, *_) in enumerate(study.entries()):
        try:
            with telling_faults(job.model):
                check(job)
        except UsageError as fault:
            if not (is_custom(job.model) or job.recipe_source):
                raise
            faults[row] = str(fault)
    return without_rows(study, faults)
