"""A tuning followed from nothing to its choice, on records of runs that never ran."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from factories import make_record

from fashionbench.config.recipe import load_recipe, recipe_names
from fashionbench.config.search_space import Range
from fashionbench.config.study import Job, Study
from fashionbench.config.tuning import Tuning
from fashionbench.store.records import RunRecord
from fashionbench.store.trials import Progress, follow

RECIPE = load_recipe(recipe_names()[0])  # at a rate of 0.1


def plan(trials: int = 8, studies: int = 1, seeds: int = 4) -> Study:
    tuning = Tuning(
        ranges={"learning_rate": Range("log", 1 / 32, 32, relative=True)},
        trials=trials,
        studies=studies,
        images=600,
    )
    return Study(
        models=("v0", "mlp"),
        recipes=(RECIPE,),
        seeds=tuple(range(seeds)),
        dataset="silhouettes",
        tuning=tuning,
    )


class Machine:
    """Runs jobs at once, with a loss that their learning rate decides."""

    def __init__(self, loss: Callable[[Job], float]) -> None:
        self.loss = loss
        self.records: dict[str, RunRecord] = {}

    def run(self, job: Job) -> None:
        assert job.key not in self.records, "no job runs twice"
        loss = self.loss(job)
        record = make_record(job, outcome="ok" if math.isfinite(loss) else "collapsed")
        self.records[job.key] = replace(record, scores=replace(record.scores, loss=loss))

    def tune(self, study: Study, entry: int = 0) -> tuple[Progress, list[int]]:
        """Run what is missing until nothing is; return the end, and how many jobs each time."""
        rounds = []
        while (progress := self.follow(study, entry)).missing:
            rounds.append(len(progress.missing))
            for job in progress.missing:
                self.run(job)
        return progress, rounds

    def follow(self, study: Study, entry: int = 0) -> Progress:
        return follow(study, entry, lambda job: self.records.get(job.key))


def best_at(rate: float) -> Callable[[Job], float]:
    """A loss that grows with the distance from a rate, and tells seeds apart a little."""
    return lambda job: 0.4 + abs(math.log2(job.recipe.learning_rate / rate)) + 1e-4 * (job.seed % 7)


@pytest.mark.parametrize("studies", [1, 3])
def test_a_tuning_ends_after_two_stages_at_the_best_point_of_each_study(studies: int) -> None:
    study, machine = plan(12, studies), Machine(best_at(0.01))
    progress, rounds = machine.tune(study)
    again = math.ceil(12 / studies / 4) + 1
    assert rounds == [12, 3 * studies * again]
    assert len(progress.trials) == sum(rounds)
    assert len(progress.choices) == studies
    for number, (choice, settings) in enumerate(
        zip(progress.choices, progress.settings, strict=True)
    ):
        tried = {
            record.scores.loss: record.job.recipe.learning_rate
            for trial, record in zip(progress.trials, progress.records, strict=True)
            if trial.study == number and trial.stage == 1
        }
        assert settings["learning_rate"] == tried[min(tried)]
        assert choice.point in study.tuning.points_of(0, number)


def test_the_runs_of_the_comparison_share_out_the_choices() -> None:
    study = plan(9, 3, seeds=7)
    progress, _ = Machine(best_at(0.01)).tune(study)
    assert progress.studies == (0, 1, 2, 0, 1, 2, 0)
    for job, seed, each in zip(progress.jobs, study.seeds, progress.studies, strict=True):
        assert (job.seed, job.model, job.scored_on) == (seed, "v0", "test")
        assert job.recipe.learning_rate == progress.settings[each]["learning_rate"]
        assert not job.recipe.validation_images, "all training images"


def test_a_recipe_that_stays_as_it_is_asks_for_no_other_runs() -> None:
    study = plan()
    progress, _ = Machine(best_at(RECIPE.learning_rate)).tune(study)
    assert progress.choices[0].point is None
    assert progress.edges == ()
    as_it_is = next(study.entries())
    assert [job.key for job in progress.jobs] == [job.key for job in as_it_is]


def test_trials_never_read_the_test_set_nor_share_seeds_with_the_comparison() -> None:
    study, machine = plan(), Machine(best_at(0.01))
    machine.tune(study)
    jobs = [record.job for record in machine.records.values()]
    assert {job.scored_on for job in jobs} == {"validation"}
    assert not {job.seed for job in jobs} & set(study.seeds)


def test_every_entry_tries_the_same_points_from_the_same_seeds() -> None:
    study, machine = plan(6, 2), Machine(best_at(0.01))
    of_entries = [
        [(job.recipe.learning_rate, job.seed) for job in machine.follow(study, entry).missing]
        for entry in (0, 1)
    ]
    assert of_entries[0] == of_entries[1]


def test_an_interrupted_tuning_goes_on_with_what_it_lacks() -> None:
    study, machine = plan(), Machine(best_at(0.01))
    whole, _ = Machine(best_at(0.01)).tune(study)
    for job in machine.follow(study).missing[:3]:
        machine.run(job)
    assert len(machine.follow(study).missing) == 5
    assert machine.follow(study).jobs == ()
    assert machine.tune(study)[0].jobs == whole.jobs


def test_runs_that_collapse_count_as_the_worst() -> None:
    def loss(job: Job) -> float:
        return math.inf if job.recipe.learning_rate > 0.02 else best_at(0.1)(job)

    progress, _ = Machine(loss).tune(plan())
    assert progress.settings[0]["learning_rate"] <= 0.02
    assert any(trial.failed for trial in progress.trials)


def test_a_choice_at_the_end_of_the_space_is_told_and_widening_goes_on_from_there() -> None:
    study, machine = plan(), Machine(best_at(1e-5))
    progress, _ = machine.tune(study)
    assert progress.edges == (("learning_rate", "low"),)
    wider = study.model_copy(
        update={"tuning": study.tuning.model_copy(update={"widened": progress.edges})}
    )
    end, rounds = machine.tune(wider)
    assert rounds[0] == 4, "the first stage of the points that were added"
    assert end.settings[0]["learning_rate"] < progress.settings[0]["learning_rate"]
