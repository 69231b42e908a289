"""A Study -> the jobs not yet recorded -> run records -> the comparison.

Stop and run again is safe: a job in the store is never run twice. So is asking twice at once:
processes that share a run folder take turns.
"""

import logging
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fashionbench.config.recipe import Recipe
from fashionbench.config.study import Execution, Study
from fashionbench.data.datasets import load_arrays
from fashionbench.errors import Interrupted
from fashionbench.experiments.call import write_call
from fashionbench.experiments.cluster.inbox import take_in
from fashionbench.experiments.planning import default_folder, plan
from fashionbench.experiments.result import Result
from fashionbench.store.records import digest_images
from fashionbench.store.run_store import RunStore

if TYPE_CHECKING:
    from fashionbench.experiments.planning import Model

__all__ = ["compare", "run_study"]

logger = logging.getLogger(__name__)


def compare(
    models: "Model | Sequence[Model]" = ("v0", "v1", "v2"),
    *,
    seeds: int | Iterable[int] = 5,
    recipes: str | Recipe | Sequence[str | Recipe] = "default",
    weights: Path | str | None = None,
    dataset: str = "fashion-mnist",
    data_dir: Path | str | None = None,
    channels: int | None = None,
    size: int | None = None,
    device: str = "auto",
    out: Path | str | None = None,
    until: float | None = None,
    max_seeds: int = 100,
    vary: str = "all",
    splits: int | None = None,
    exclude: Path | str | None = None,
    parallel: str = "auto",
    jobs: int | None = None,
    **settings: Any,
) -> Result:
    """Train every model with every recipe from every seed, and compare them on the test set.

    Runs that the run folder holds already are not repeated. Writes the report into that folder.

    Args:
        models: Keys of the table, or classes and functions of your own that take no arguments.
        seeds: How many seeds, or the seeds themselves.
        recipes: Names of recipes, paths of .toml files, or Recipe objects.
        weights: A file that all models begin with; "NAME:weights=FILE" is for one model alone.
        dataset: A key of the table, or the path of a folder of your own.
        data_dir: The folder of the data set's files.
        channels: 1 to show networks grey images, 3 for color; None as the data set has them.
        size: Pixels a side of these images; None as the data set has them, 64 at most.
        device: "auto", "cpu", "cuda" or "mps".
        out: The run folder; runs/DATASET by default.
        until: A difference of accuracies, such as 0.002. Seeds are added until every pair is
            decided or a difference that large is excluded.
        max_seeds: The most seeds that `until` may lead to.
        vary: What differs between seeds: "all", or "weights", "order" or "augmentation" alone.
        splits: On so many splits, dealt anew from all images, every run is made too; verdicts then
            tell whether they hold for other splits. None keeps to the official one.
        exclude: The audit.json of an audit: accuracies are also told without the test images that
            it doubts.
        parallel: How seeds run together: "stacked", in "processes", "serial" (one after another),
            or "auto", whatever suits the model.
        jobs: The most processes at once; None allows one for each thread.
        settings: Single settings that replace those of the recipes, such as epochs=5.

    Raises UsageError, DataError or StoreError for what cannot be done, and Interrupted after
    Ctrl-C.

    Examples:
        >>> result = fb.compare(["v0", "mlp"], seeds=2, dataset="silhouettes", epochs=1)
        >>> [entry.label for entry in result.entries]
        ['FashionMnistModelV0', 'MLP']
    """
    given = locals()  # all arguments by name, to write the call out
    execution = Execution.checked({"parallel": parallel, "jobs": jobs}, "comparison")
    study = plan(
        models,
        recipes,
        seeds,
        weights=weights,
        dataset=dataset,
        channels=channels,
        size=size,
        device=device,
        until=until,
        max_seeds=max_seeds,
        vary=vary,
        splits=splits,
        exclude=exclude,
        **settings,
    )
    if not isinstance(seeds, int):
        given["seeds"] = study.seeds  # a generator of seeds is used up by now
    command = write_call(compare, given)
    return run_study(study, Path(out or default_folder(dataset)), data_dir, command, execution)


def run_study(
    study: Study,
    folder: Path,
    data_dir: Path | str | None,
    command: str,
    execution: Execution | None = None,
) -> Result:
    """Run the jobs of `study` that `folder` does not hold yet, and write its report.

    `command` is what a person types to get the same again. Raises what `compare` raises.
    """
    store = RunStore(folder, create=True)
    _check_exclusion(study, data_dir)
    while True:
        _run_missing(study, store, data_dir, command, execution or Execution())
        result = Result.collect(store, study, command)
        wider = _add_seeds(result)
        if wider is None:
            break
        study = wider
    if not result.is_reported:
        from fashionbench.report.page import write_report

        write_report(result)
    return result


def _check_exclusion(study: Study, data_dir: Path | str | None) -> None:
    """Refuse to leave out images of other data before anything is trained."""
    if study.exclusion is not None:
        [(images, labels)] = load_arrays(study.dataset, data_dir, ["test"])
        study.exclusion.check(digest_images(images, labels), labels.tolist())


def _run_missing(
    study: Study,
    store: RunStore,
    data_dir: Path | str | None,
    command: str,
    execution: Execution,
) -> None:
    jobs = [job for group in study.groups() for job in group]

    def finished() -> int:
        return sum(store.has_run(job, study.device) for job in jobs)

    store.save_study(study, command)
    if finished() == len(jobs):
        return
    try:
        with _take_turn(store.folder):
            take_in(store)
            if finished() == len(jobs):
                return
            # Brings torch, for which rendering finished runs again must not wait.
            from fashionbench.experiments.launch import run_missing

            run_missing(study, store, data_dir, execution)
    except KeyboardInterrupt:
        raise Interrupted(
            f"Interrupted: {finished()} of {len(jobs)} runs are finished and kept in "
            f"{store.folder}. To go on: {command}"
        ) from None


def _take_turn(folder: Path) -> AbstractContextManager[object]:
    """Wait for other processes that run jobs in `folder`, and keep them out until this ends.

    So no job runs twice, and none shares the machine. The lock is the system's: it is free again
    when the process that holds it is killed.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock")
    try:
        return lock.acquire(blocking=False)
    except Timeout:
        logger.warning("Another process is at work in %s; this one waits until it is done.", folder)
        return lock.acquire()


def _add_seeds(result: Result) -> Study | None:
    """Return the study with half as many seeds again; None if no more were asked for or help."""
    study = result.study
    if study.until is None or all(pair.verdict.word != "cannot tell" for pair in result.pairs):
        return None
    wanted = min(study.max_seeds, len(study.seeds) + max(3, len(study.seeds) // 2))
    unused = (seed for seed in count() if seed not in study.seeds)
    seeds = (*study.seeds, *islice(unused, max(0, wanted - len(study.seeds))))
    return None if seeds == study.seeds else study.model_copy(update={"seeds": seeds})
