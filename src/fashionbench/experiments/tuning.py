"""The trials of a tuning: which are run, in which order, until every entry has its choice.

What has to be found out on the way (how many images can be held out, how many trials a budget pays
for, where the space was widened) is written into the study. All else follows from the records: a
tuning that is stopped goes on, and one that is asked for again runs nothing.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from fashionbench.config.search_space import Side
from fashionbench.config.study import Job, Study
from fashionbench.errors import StoreError, UsageError
from fashionbench.store.run_store import RunStore
from fashionbench.store.trials import Progress, follow

if TYPE_CHECKING:
    from fashionbench.experiments.launch import Bench

__all__ = ["Entries", "run_tuning", "tuned_entries"]

Entries = Sequence[tuple[int, Sequence[Job]]]
"""Jobs of one model that may run together, with the number of their row in the study."""

logger = logging.getLogger(__name__)


def run_tuning(
    study: Study,
    store: RunStore,
    command: str,
    open_bench: "Callable[[], Bench]",
    run: Callable[[Study, Entries], Study],
) -> Study:
    """Run the trials that `study` lacks until every entry has its choice.

    Returns the study with what was found out on the way, as the store keeps it too. `run` runs what
    it is given and returns the study without rows that turn out to be faulty; what it raises ends
    the tuning, and finished trials stay. Raises UsageError for a budget that is too small, and for
    a data set of which no images can be held out.
    """
    study = _prepare(_resume(study, store), open_bench)
    store.save_study(study, command)
    while True:
        progress = _follow_all(study, store)
        missing = [(row, each.missing) for row, each in enumerate(progress) if each.missing]
        if missing:
            study = run(study, missing)
            continue
        sides = _sides_to_widen(study, progress)
        if not sides:
            return study
        study = _change(study, widened=sides)
        store.save_study(study, command)


def tuned_entries(study: Study, store: RunStore) -> Entries:
    """List the runs of every entry by what was chosen for it; none without tuning."""
    if study.tuning is None:
        return []
    return [(row, each.jobs) for row, each in enumerate(_follow_all(study, store))]


def _follow_all(study: Study, store: RunStore) -> list[Progress]:
    load = partial(store.load_run, device=study.device)
    return [follow(study, entry, load) for entry in range(len([*study.entries()]))]


def _change(study: Study, **found: object) -> Study:
    assert study.tuning is not None
    return study.model_copy(update={"tuning": study.tuning.model_copy(update=found)})


def _resume(study: Study, store: RunStore) -> Study:
    """Take over what was found out before, where the same was asked of the folder last."""
    try:
        last, _ = store.load_study()
    except StoreError:
        return study
    if last.tuning is None or _as_asked(last) != _as_asked(study):
        return study
    return _change(study, images=last.tuning.images, dealt=last.tuning.dealt)


def _as_asked(study: Study) -> Study:
    """Return the study without what was found out on the way, and without seeds of the runs."""
    plain = _change(study, images=0, dealt=(), widened=())
    return plain.model_copy(update={"seeds": (), "until": None, "max_seeds": 0})


def _prepare(study: Study, open_bench: "Callable[[], Bench]") -> Study:
    """Find out how many images there are, and how many trials the budget pays for."""
    assert study.tuning is not None
    if not study.tuning.images:
        study = _change(study, images=_count_images(study, open_bench()))
    assert study.tuning is not None
    if study.tuning.budget is not None and not study.tuning.dealt:
        from fashionbench.experiments.budget import deal

        study = _change(study, dealt=deal(study, open_bench()))
    return study


def _count_images(study: Study, bench: "Bench") -> int:
    """Count the training images, and tell of which recipes a tenth of them is held out."""
    images, classes = len(bench.dataset.train), len(bench.dataset.classes)
    without = [recipe.label for recipe in study.recipes if not recipe.validation_images]
    if without and not 0 < images // 10 <= images - classes:
        raise UsageError(
            f"Of the {images} training images of {bench.dataset.title} no tenth can be held out to "
            "tune by; take a data set with more."
        )
    if without:
        logger.warning(
            "%s: no images are held out, so that a tenth of the training images (%s) is while "
            "settings are tuned; the comparison holds out none.",
            ", ".join(without),
            f"{images // 10:,}",
        )
    return images


def _sides_to_widen(study: Study, progress: Sequence[Progress]) -> tuple[tuple[str, Side], ...]:
    """List the sides of the space at which a choice lies and beyond which there is more, once."""
    assert study.tuning is not None
    if study.tuning.widened:
        return ()
    edges = dict.fromkeys(edge for each in progress for edge in each.edges)
    return tuple(edge for edge in edges if study.tuning.can_widen(*edge, study.recipes))
