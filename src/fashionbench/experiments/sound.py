"""The models of a comparison that can be compared: faults are told all at once, the others run."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fashionbench.config.model_spec import ModelSpec
from fashionbench.config.study import Study
from fashionbench.errors import FashionbenchError, UsageError

if TYPE_CHECKING:
    from fashionbench.experiments.launch import Bench

__all__ = ["find_faults", "is_custom", "refuse", "telling_faults", "without_models"]


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
    if len(faults) == 1:
        raise UsageError(*faults.values())
    if faults:
        lines = [f"- {fault}" for fault in faults.values()]
        raise UsageError("\n".join([f"{len(faults)} models cannot be compared:", *lines]))


def without_models(study: Study, faults: Mapping[str, str]) -> Study:
    """Return the study without models that have a fault, which it keeps for the report.

    Raises UsageError, which tells all faults, where fewer than two models are left.
    """
    faulty = {model: fault for model, fault in faults.items() if model in study.models}
    if not faulty:
        return study
    named = dict(zip(study.models, study.names, strict=True))
    left_out = {**dict(study.left_out), **{named[model]: fault for model, fault in faulty.items()}}
    kept = [place for place, model in enumerate(study.models) if model not in faulty]
    if len(kept) < 2 or not all(map(is_custom, faulty)):
        refuse(left_out)

    def pick(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(values[place] for place in kept) if values else values

    return study.model_copy(
        update={
            "models": pick(study.models),
            "model_sources": pick(study.model_sources),
            "called": pick(study.called),
            "trained_by": pick(study.trained_by),
            "left_out": tuple(left_out.items()),
        }
    )


def find_faults(study: Study, open_bench: "Callable[[], Bench]") -> Study:
    """Return the study without models that cannot be built or trained.

    What cannot be built is found before data is read.
    """
    from fashionbench.data.datasets import dataset_entry
    from fashionbench.models.build import build_model
    from fashionbench.models.table import MODELS

    def build(model: str) -> None:
        if model not in MODELS:
            classes = len(dataset_entry(study.dataset).classes)
            build_model(model, classes=classes, shape=study.shape, tell=lambda text: None)

    study = without_models(study, _try_each(study.models, build))
    bench = open_bench()
    first_jobs = {jobs[0].model: jobs[0] for jobs in study.entries()}
    return without_models(
        study, _try_each(study.models, lambda model: bench.examine(first_jobs[model]))
    )


def _try_each(models: tuple[str, ...], check: Callable[[str], object]) -> dict[str, str]:
    faults = {}
    for model in models:
        try:
            with telling_faults(model):
                check(model)
        except UsageError as fault:
            faults[model] = str(fault)
    return faults
