"""A Study -> the jobs not yet recorded -> run records -> the comparison.

Stop and run again is safe: a job in the store is never run twice. So is asking twice at once:
processes that share a run folder take turns.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fashionbench.config.augmentations import own_changes
from fashionbench.config.recipe import Recipe, load_recipe, recipe_names
from fashionbench.config.study import WAYS, Study, Way
from fashionbench.core.progress import progress_bar, say
from fashionbench.data.datasets import DATASETS, dataset_entry, identify_dataset, load_data
from fashionbench.errors import Interrupted, UsageError
from fashionbench.models.build import build_model
from fashionbench.models.identity import identify
from fashionbench.models.table import MODELS, model_entry
from fashionbench.report.result import Result, collect
from fashionbench.store.records import TestSet
from fashionbench.store.run_store import RunStore

if TYPE_CHECKING:
    from torch import nn

    Model = str | Callable[[], nn.Module]

__all__ = ["compare", "plan", "run_study"]


def compare(
    models: "Model | Sequence[Model]" = ("v0", "v1", "v2"),
    recipes: str | Recipe | Sequence[str | Recipe] = ("seed",),
    seeds: int | Iterable[int] = 5,
    *,
    weights: Path | str | None = None,
    dataset: str = "fashion-mnist",
    data: Path | str | None = None,
    device: str = "auto",
    out: Path | str | None = None,
    until: float | None = None,
    max_seeds: int = 100,
    jobs: str = "auto",
    **settings: Any,
) -> Result:
    """Train every model with every recipe from every seed, and compare them on the test set.

    Models are keys of the table or classes and functions of your own that take no
    arguments. `seeds` is a number of seeds or the seeds themselves, `weights` a
    file that all of them begin with (`NAME:weights=FILE` is for one alone), `data` the
    root of the data set's files, `out` the run folder (default runs/DATASET); finished
    runs found there are not run again. `settings` replace single settings of the
    recipes, such as epochs=5. With `until`, a difference of accuracies such as 0.002,
    seeds are added until every pair is decided or a difference that large is excluded,
    up to `max_seeds`. `jobs` says how seeds are run together: "stacked", in "processes",
    "serial" (one after another), or what suits the model. Writes the report into the
    run folder.

    Raises UsageError, DataError or StoreError for what cannot be done, and
    Interrupted after Ctrl-C.
    """
    study = plan(
        models,
        recipes,
        seeds,
        weights=weights,
        dataset=dataset,
        device=device,
        until=until,
        max_seeds=max_seeds,
        **settings,
    )
    return run_study(
        study, Path(out or default_folder(dataset)), data, "the same call", choose_way(jobs)
    )


def choose_way(name: str) -> Way:
    """The way of running jobs that `name` means. Raises UsageError if there is no such way."""
    for way in WAYS:
        if way == name:
            return way
    raise UsageError(f"Jobs cannot be run {name!r}; the ways are {', '.join(WAYS)}.")


def default_folder(dataset: str) -> Path:
    """Where the runs of a data set are kept unless the person says otherwise."""
    return Path("runs") / (dataset if dataset in DATASETS else Path(dataset).resolve().name)


def plan(
    models: "Model | Sequence[Model]",
    recipes: str | Recipe | Sequence[str | Recipe],
    seeds: int | Iterable[int],
    *,
    weights: Path | str | None = None,
    dataset: str,
    device: str = "auto",
    until: float | None = None,
    max_seeds: int = 100,
    **settings: Any,
) -> Study:
    """Turn what was asked into a Study; UsageError for anything that does not exist."""
    models = [models] if isinstance(models, str) or callable(models) else models
    recipes = [recipes] if isinstance(recipes, (str, Recipe)) else recipes
    dataset_source = identify_dataset(dataset)
    if isinstance(seeds, int):
        if seeds < 1:
            raise UsageError(f"{seeds} seeds cannot be compared; ask for 1 or more.")
        seeds = range(seeds)
    if not models or not recipes:
        raise UsageError("There is nothing to compare; name at least one model and one recipe.")
    classes = len(dataset_entry(dataset).classes)
    if weights is not None:
        models = [f"{identify(model, classes)[0]}:weights={weights}" for model in models]
    named = [identify(model, classes) for model in models]
    loaded = [load_recipe(recipe) if isinstance(recipe, str) else recipe for recipe in recipes]
    chosen = _named_apart([recipe.override(**settings) for recipe in loaded], loaded, recipes)
    study = Study.checked(
        {
            "models": [name for name, _ in named],
            "model_sources": [source for _, source in named],
            "recipes": chosen,
            "recipe_sources": [_identify_changes(recipe) for recipe in chosen],
            "seeds": tuple(seeds),
            "dataset": dataset,
            "dataset_source": dataset_source,
            "device": device,
            "until": until,
            "max_seeds": max_seeds,
        },
        "comparison",
    )
    if until is not None and len(study.models) * len(study.recipes) < 2:
        raise UsageError(
            "--until adds seeds until differences are decided, and one model with one recipe "
            "differs from nothing; name two models or recipes."
        )
    if until is not None and len(study.seeds) > max_seeds:
        raise UsageError(
            f"{len(study.seeds)} seeds to begin with are more than the {max_seeds} of max_seeds; "
            "ask for fewer, or raise that."
        )
    return study


def _named_apart(
    chosen: Sequence[Recipe], loaded: Sequence[Recipe], asked: Sequence[str | Recipe]
) -> list[Recipe]:
    """Recipes of files with one name, or a shipped one's, are called by their paths.

    Of equal ones none is taken.
    """
    names, found = [recipe.name for recipe in chosen], dict[Recipe, str]()
    rows = []
    for recipe, before, given in zip(chosen, loaded, asked, strict=True):
        if isinstance(given, str) and given != before.name:  # a file
            changed, shipped = recipe.name.removeprefix(before.name), before.name in recipe_names()
            if shipped or names.count(recipe.name) > 1:
                path = given if shipped else given.removesuffix(".toml")
                recipe = recipe.model_copy(update={"name": path + changed})
        same = recipe.model_copy(update={"name": "", "description": ""})
        if same in found:
            raise UsageError(
                f"The recipes {found[same]} and {recipe.name} train in the same way; name one."
            )
        if recipe.name in found.values():
            raise UsageError(f"Two recipes are called {recipe.name}; give one another name.")
        found[same] = recipe.name
        rows.append(recipe)
    return rows


def _identify_changes(recipe: Recipe) -> str:
    if not own_changes(recipe.augmentation):
        return ""
    from fashionbench.training.own_augmentations import identify_augmentations  # brings torch

    return identify_augmentations(recipe.augmentation)


def run_study(
    study: Study, folder: Path, data: Path | str | None, command: str, way: Way = "auto"
) -> Result:
    """Run the jobs of `study` that `folder` does not hold yet, and write its report.

    `command` is what a person types to ask for the same again, `way` how seeds are run
    together: it changes no result by more than rounding, but for models with dropout, which
    draw for all that are stacked together.
    """
    store = RunStore(folder, create=True)
    while True:
        _run_missing(study, store, data, command, way)
        result = collect(store, study, command)
        wider = _add_seeds(result)
        if wider is None:
            break
        study = wider
    if not result.is_reported:
        from fashionbench.report.page import write_report

        write_report(result)
    return result


def _run_missing(
    study: Study, store: RunStore, data: Path | str | None, command: str, way: Way
) -> None:
    jobs = [job for entry in study.entries() for job in entry]

    def finished() -> int:
        return sum(store.has_run(job, study.device) for job in jobs)

    store.save_study(study, command)
    if finished() == len(jobs):
        return
    try:
        with _take_turn(store.folder):
            _run_all(len(jobs) - finished(), study, store, data, way)
    except KeyboardInterrupt:
        raise Interrupted(
            f"Interrupted: {finished()} of {len(jobs)} runs are finished and kept in "
            f"{store.folder}. To go on: {command}"
        ) from None


def _take_turn(folder: Path) -> AbstractContextManager[object]:
    """Until this ends no other process runs jobs in `folder`: none twice, and none beside others.

    The lock is the system's, so that one held by a killed process is free.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock")
    try:
        return lock.acquire(blocking=False)
    except Timeout:
        say(f"Another process is at work in {folder}; this one waits until it is done.")
        return lock.acquire()


def _add_seeds(result: Result) -> Study | None:
    """The study with half as many seeds again, where that was asked for and could still tell."""
    study = result.study
    if study.until is None or all(pair.verdict.word != "cannot tell" for pair in result.pairs):
        return None
    wanted = min(study.max_seeds, len(study.seeds) + max(3, len(study.seeds) // 2))
    unused = (seed for seed in count() if seed not in study.seeds)
    seeds = (*study.seeds, *islice(unused, max(0, wanted - len(study.seeds))))
    return None if seeds == study.seeds else study.model_copy(update={"seeds": seeds})


def _run_all(runs: int, study: Study, store: RunStore, data: Path | str | None, way: Way) -> None:
    # torch is imported only when there is something to run: rendering finished
    # runs again must not wait for it.
    from fashionbench.experiments.gate import examine
    from fashionbench.experiments.launch import run_entry
    from fashionbench.training.devices import resolve_device

    # A model that cannot be had was told when its job was planned; weights are told of here.
    classes = len(dataset_entry(study.dataset).classes)
    for model in study.models:
        if model not in MODELS:
            build_model(model, classes=classes, tell=say)
    device = resolve_device(study.device)
    dataset = load_data(study.dataset, data, source=study.dataset_source)
    for note in dataset.notes:
        say(f"! {note}")
    store.save_test_set(
        TestSet(
            study.test_set,
            dataset.title,
            dataset.classes,
            dataset.test.images.numpy(),
            dataset.test.labels.numpy(),
        )
    )
    waiting = []
    for entry in study.entries():
        found = [store.load_run(job, study.device) for job in entry]
        missing = [job for job, run in zip(entry, found, strict=True) if run is None]
        timed = sum(run is not None and run.train_seconds is not None for run in found)
        if missing:  # all are asked before any is trained
            waiting.append((missing, examine(missing[0], dataset), timed))
    for (job, *_), examined, _ in waiting:
        for remark in examined.remarks.values():
            say(f"{model_entry(job.model).label}: {remark}")
    with progress_bar(total=runs, unit="run", desc="compare") as bar:
        for jobs, examined, timed in waiting:
            run_entry(
                jobs, dataset, data, device, store, way, examined, timed=timed, done=bar.update
            )
