"""Pixels and logits."""

import numpy as np
import pytest
from torch import nn

from fashionbench.config.recipe import load_recipe
from fashionbench.core.logits import infer
from fashionbench.data.split import Dataset, Split, hold_out
from fashionbench.errors import UsageError
from fashionbench.models.build import build_model
from fashionbench.training.evaluation import calibrate, evaluate
from fashionbench.training.loop import fit


def test_dropout_is_off_and_the_mode_is_put_back(few: Split) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(784, 10)).train()
    assert evaluate(model, few) == evaluate(model, few)
    assert model.training


def test_a_name_for_a_model_and_a_data_set_for_its_split_are_refused(few: Split) -> None:
    data = Dataset("mine/", "Mine", ("cat", "dog"), few, few)
    for call in (evaluate, lambda model, split: fit(model, split, "default")):
        with pytest.raises(UsageError, match="'v0' is not a model; give a torch module"):
            call("v0", few)
        with pytest.raises(UsageError, match="Dataset is not a split; give one"):
            call(build_model("v0"), data)


def test_images_and_labels_that_are_no_split_are_refused(few: Split) -> None:
    images, labels, model = few.images, few.labels, build_model("linear")
    wrong = [
        Split(images[:0], labels[:0]),
        Split(images, labels[:10]),
        Split(images.float(), labels),
        Split(images, labels.float()),
        Split(images.numpy(), labels.numpy()),
        Split(images.flatten(1), labels),
    ]
    for split in wrong:
        for call in (evaluate, fit):
            with pytest.raises(UsageError, match=r"^This split cannot be used; it should hold"):
                call(model, split)


def test_views_and_classes_that_there_are_not_are_refused(few: Split) -> None:
    with pytest.raises(UsageError, match="views is 'all', but should be one, flip, shifts"):
        evaluate(build_model("linear"), few, "all")
    with pytest.raises(UsageError, match="labels go up to 9, but the model tells 5 classes apart"):
        evaluate(build_model("linear", classes=5), few)


def test_calibration_looks_at_the_images_held_out_alone(
    few: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def fitted(logits: np.ndarray, labels: np.ndarray) -> float:
        seen.append((logits, labels))
        return 1.5

    monkeypatch.setattr("fashionbench.training.evaluation.find_temperature", fitted)
    model, seed = build_model("v0"), load_recipe("default")
    assert calibrate(model, few, seed.override(validation_images=100)) == 1.5
    held_out = hold_out(few, 100)[1]
    [(logits, labels)] = seen
    np.testing.assert_allclose(logits, infer(model, held_out.images), rtol=1e-3, atol=1e-5)
    assert labels.tolist() == held_out.labels.tolist()
    assert calibrate(model, few, seed) is None
