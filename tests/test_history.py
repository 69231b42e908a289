"""What is kept of a run's course, and when it is over."""

import torch

from fashionbench.config.recipe import load_recipe
from fashionbench.training.history import History

DEFAULT = load_recipe("default")


def test_a_point_of_the_curve_is_the_mean_of_its_batches() -> None:
    run = History()
    run.add_epoch(torch.arange(40.0))
    assert run.curve == [((k + 1) / 20, 2 * k + 0.5) for k in range(20)]


def test_an_improvement_must_be_large_enough() -> None:
    run = History(
        epochs=4, validation_curve=[(1, 1.0, 0.5), (2, 0.95, 0.6), (3, 0.5, 0.6), (4, 0.6, 0.7)]
    )
    recipe = DEFAULT.override(epochs=9, validation_images=10, patience=1)
    assert run.best_epoch(recipe) == 3
    assert run.is_over(recipe)
    assert run.best_epoch(recipe.override(min_improvement=0.6)) == 1
    by_accuracy = recipe.override(monitor="accuracy")
    assert run.best_epoch(by_accuracy) == 4
    assert not run.is_over(by_accuracy)
