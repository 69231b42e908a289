"""TensorBoard's events hold the curve."""

from pathlib import Path

import pytest

from fashionbench.config.recipe import load_recipe
from fashionbench.data.split import Split
from fashionbench.experiments.tensorboard import TensorBoard
from fashionbench.models.build import build_model
from fashionbench.training.history import History
from fashionbench.training.loop import fit


def test_events_hold_losses_accuracy_and_rate_of_each_epoch(tmp_path: Path, few: Split) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recipe = load_recipe("default").override(epochs=3, validation_images=100, schedule="linear")
    board = TensorBoard(tmp_path, recipe)
    states = []
    result = fit(build_model("v0"), few, recipe, device="cpu", keep=states.append)
    for state in states:
        board(History(**state["fit"]))
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Scalars("learning_rate")] == [1, 2, 3]
    rates = [event.value for event in events.Scalars("learning_rate")]
    assert rates == pytest.approx([0.1, 0.1 * 2 / 3, 0.1 / 3])
    accuracies = [event.value for event in events.Scalars("validation/accuracy")]
    assert accuracies == pytest.approx([accuracy for _, _, accuracy in result.validation_curve])
    first = [loss for at, loss in result.curve if at <= 1]
    assert events.Scalars("training/loss")[0].value == pytest.approx(sum(first) / len(first))
