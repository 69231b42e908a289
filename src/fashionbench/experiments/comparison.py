"""A Study -> the jobs not yet recorded -> run records -> the comparison.

Stop and run again is safe: a job in the store is never run twice. So is asking twice at once:
processes that share a run folder take turns.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache, partial
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fashionbench.config.execution import Execution
from fashionbench.config.recipe import Recipe
from fashionbench.config.study import Study
from fashionbench.config.tuning import Tune, read_duration
from fashionbench.core.files import as_path
from fashionbench.data.datasets import load_arrays
from fashionbench.errors import Interrupted, StoreError, UsageError
from fashionbench.experiments.call import write_call
from fashionbench.experiments.cluster.inbox import take_in
from fashionbench.experiments.planning import default_folder, plan
from fashionbench.experiments.result import Result
from fashionbench.experiments.tuning import Entries, run_tuning, tuned_entries
from fashionbench.store.records import digest_images
from fashionbench.store.run_store import RunStore

if TYPE_CHECKING:
    from fashionbench.experiments.launch import Bench
    from fashionbench.experiments.planning import Model

__all__ = ["compare", "run_study"]

logger = logging.getLogger(__name__)


def compare(
    models: "Model | Sequence[Model] | Mapping[str, Model]" = ("v0", "v1", "v2"),
    *,
    seeds: int | Iterable[int] = 5,
    recipes: Path | str | Recipe | Sequence[Path | str | Recipe] = "default",
    weights: Path | str | None = None,
    dataset: Path | str = "fashion-mnist",
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
    tune: Tune | None = None,
    trials: int | None = None,
    studies: int = 1,
    budget: float | str | None = None,
    time_limit: float | str | None = None,
    parallel: str = "auto",
    jobs: int | None = None,
    track: str | None = None,
    on: str | None = None,
    **settings: Any,
) -> Result:
    """Train every model with every recipe from every seed, and compare them on the test set.

    Runs that the run folder holds already are not repeated. Writes the report into that folder.

    Args:
        models: Built-in models, classes and functions of your own, or files of them, as in
            "nets/*.py:Net". With arguments they are "v2:hidden_units=32" and
            functools.partial(MyNet, width=64). A dict gives each a name:
            {"mine": MyNet, "v2": "v2"}.
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
        tune: Settings that are given their best values first, such as "lr,weight_decay", or each
            with its range, as in {"learning_rate": "log 1/32..32"}: factors of the recipe's rate.
        trials: How many points of that space each model and recipe tries: 15, or with a budget at
            most 100.
        studies: Into how many studies the trials are dealt, of which each chooses on its own.
        budget: The time that tuning may take, such as "10m".
        time_limit: Seconds, or a time such as "10m", after which no more seeds are begun: all
            models have as many by then, one at least.
        parallel: How seeds run together: "stacked", in "processes", "serial" (one after another),
            or "auto", whatever suits the model.
        jobs: The most processes at once; None allows one for each thread.
        track: Also write each run to "tensorboard", "mlflow" or "trackio".
        on: What starts workers that train the runs: "workers:4" is four processes here,
            "slurm:16" an array of jobs, "ray" or "ray:ADDRESS" tasks of a cluster. The first runs
            of each model are timed, on a machine of their own.
        settings: Single settings that replace those of the recipes, such as epochs=5.

    Raises UsageError, DataError or StoreError for what cannot be done, and Interrupted after
    Ctrl-C.

    Examples:
        >>> result = fb.compare(["v0", "mlp"], seeds=2, dataset="silhouettes", epochs=1)
        >>> [entry.label for entry in result.entries]
        ['FashionMnistModelV0', 'MLP']
    """
    dataset, models = str(dataset), [*models] if isinstance(models, Iterator) else models
    given = locals()  # all arguments by name, to write the call out
    seconds = read_duration(time_limit, "time_limit")
    execution = Execution.checked(
        {"parallel": parallel, "jobs": jobs, "on": on, "seconds": seconds}, "comparison"
    )
    folder = as_path("out", out or default_folder(dataset))
    study = plan(
        models,
        recipes,
        seeds,
        weights=weights,
        dataset=dataset,
        folder=folder,
        channels=channels,
        size=size,
        device=device,
        until=until,
        max_seeds=max_seeds,
        vary=vary,
        splits=splits,
        exclude=exclude,
        tune=tune,
        trials=trials,
        studies=studies,
        budget=budget,
        **settings,
    )
    if not isinstance(seeds, int):
        given["seeds"] = study.seeds  # a generator of seeds is used up by now
    command = write_call(compare, given)
    return run_study(study, folder, data_dir, command, execution, track)


def run_study(
    study: Study,
    folder: Path,
    data_dir: Path | str | None,
    command: str,
    execution: Execution | None = None,
    track: str | None = None,
) -> Result:
    """Run the jobs of `study` that `folder` does not hold yet, and write its report.

    `command` is what a person types to get the same again, `track` the tracker that is told of each
    run, if any. Raises what `compare` raises.
    """
    if track is not None:
        from fashionbench.experiments.tracking import find_tracker

        find_tracker(track, folder)  # one that is not there is told before anything runs
    execution = execution or Execution()
    if execution.on is not None and study.tuning is not None and study.tuning.budget is not None:
        raise UsageError(
            f"--budget deals out the time of this machine, and with --on {execution.on} workers "
            "train; give --trials instead."
        )
    _check_exclusion(study, data_dir)
    store = RunStore(folder, create=True)
    open_bench = cache(partial(_open_bench, study, store, data_dir, execution))

    run_missing = partial(_run_missing, store=store, command=command, open_bench=open_bench)
    study = _without_faulty(study, store, open_bench, command)
    before = _keep_report(store, study)
    try:
        if study.tuning is not None:
            run_trials = partial(run_missing, name="tune")
            study = run_tuning(study, store, command, open_bench, run_trials)
        result = _run_until_decided(study, store, command, run_missing)
    except UsageError:
        if before is not None:  # a comparison that cannot be made does not take its place
            store.save_study(*before)
        raise
    if not result.is_reported:
        from fashionbench.report.page import write_report

        write_report(result)
    if track is not None:
        from fashionbench.experiments.tracking import track_runs

        logger.info("%d runs were written to %s.", track_runs(result, track), track)
    return result


def _run_until_decided(
    study: Study, store: RunStore, command: str, run: Callable[[Study, Entries], Study]
) -> Result:
    """Run all jobs of the study, and those of further seeds if it asks for these."""
    while True:
        store.save_study(study, command)
        entries = [*study.groups(), *tuned_entries(study, store)]
        sound = run(study, entries)
        if sound != study:
            study = sound
            continue
        result = Result.collect(store, study, command)
        wider = _add_seeds(result)
        jobs = (job for _, of_row in entries for job in of_row)
        if wider is None or not all(store.has_run(job, study.device) for job in jobs):
            return result
        study = wider


def _without_faulty(
    study: Study, store: RunStore, open_bench: "Callable[[], Bench]", command: str
) -> Study:
    """Leave out models that cannot be trained, where some runs are still to be made; tell why."""
    if all(store.has_run(job, study.device) for _, jobs in study.groups() for job in jobs):
        found = study
    else:
        from fashionbench.experiments.sound import find_faults

        try:
            found = find_faults(study, open_bench)
        except KeyboardInterrupt:
            raise Interrupted(f"Interrupted before a run was begun. To go on: {command}") from None
    _tell(found.left_out)
    return found


def _tell(left_out: Iterable[tuple[str, str]]) -> None:
    for name, fault in left_out:
        logger.warning("%s is left out: %s", name, fault)


def _keep_report(store: RunStore, study: Study) -> tuple[Study, str] | None:
    """Tell that this comparison takes the place of another, and where that one's report is kept.

    Returns that one, with what gives it again.
    """
    try:
        before, command = store.load_study()
    except StoreError:  # the first one, or of a version that this one cannot read
        return None
    if before.slug != study.slug:
        from fashionbench.report.page import keep_report

        kept = keep_report(store.folder, before, study)
        if kept is not None:
            logger.warning("The report of the comparison before is kept in %s.", kept)
    return before, command


def _check_exclusion(study: Study, data_dir: Path | str | None) -> None:
    """Refuse to leave out images of other data before anything is trained."""
    exclusion = study.exclusion
    if exclusion is not None:
        [(images, labels)] = load_arrays(
            study.dataset, data_dir, ["test"], channels=exclusion.channels, size=exclusion.size
        )
        exclusion.check(digest_images(images, labels), labels.tolist())


def _open_bench(
    study: Study, store: RunStore, data_dir: Path | str | None, execution: Execution
) -> "Bench":
    # Brings torch, for which rendering finished runs again must not wait.
    from fashionbench.experiments.launch import open_bench

    return open_bench(study, store, data_dir, execution)


def _run_missing(
    study: Study,
    entries: Entries,
    *,
    store: RunStore,
    command: str,
    open_bench: "Callable[[], Bench]",
    name: str = "compare",
) -> Study:
    """Run what the store lacks; return the study without rows that cannot be trained."""
    jobs = {job.key: job for _, of_row in entries for job in of_row}

    def finished() -> int:
        return sum(store.has_run(job, study.device) for job in jobs.values())

    if finished() == len(jobs):
        return study
    try:
        with _take_turn(store.folder):
            take_in(store)
            if finished() == len(jobs):
                return study
            bench = open_bench()
            from fashionbench.experiments.launch import run_missing  # loaded by now
            from fashionbench.experiments.sound import without_rows

            faults = run_missing(entries, bench, study.device, name=name)
            sound = without_rows(study, faults, least=1)
            _tell(sound.left_out[len(study.left_out) :])
            return sound
    except KeyboardInterrupt:
        kind = "trials" if name == "tune" else "runs"
        raise Interrupted(
            f"Interrupted: {finished()} of {len(jobs)} {kind} are finished and kept in "
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
    if study.until is None or all(pair.verdict.word != "not decided" for pair in result.pairs):
        return None
    wanted = min(study.max_seeds, len(study.seeds) + max(3, len(study.seeds) // 2))
    unused = (seed for seed in count() if seed not in study.seeds)
    seeds = (*study.seeds, *islice(unused, max(0, wanted - len(study.seeds))))
    return None if seeds == study.seeds else study.model_copy(update={"seeds": seeds})
