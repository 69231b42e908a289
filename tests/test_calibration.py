"""What was fitted to photos: a last layer, read and written, and added to a model."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from fashionbench.inference.calibration import PhotoCalibration, find_last_layer

CLASSES = ("a", "b", "c")


def test_an_adapted_model_gives_calibrated_logits_and_the_model_stays() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    rng = np.random.default_rng(0)
    calibration = PhotoCalibration(2.0, rng.normal(size=3), rng.normal(size=(3, 5)))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    adapted = calibration.adapt(model, temperature=1.5)
    images = torch.randn(6, 4)
    features = model[:3](images)
    logs = (model(images) / 1.5).log_softmax(1)
    expected = logs / 2.0 + torch.tensor(calibration.offsets)
    expected = expected + features.double() @ torch.tensor(calibration.weights).T
    found = adapted(images).double()
    torch.testing.assert_close(found.softmax(1), expected.softmax(1), rtol=1e-4, atol=1e-6)
    assert find_last_layer(model) is model[3]
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_what_is_written_is_read_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    written = PhotoCalibration(1.25, np.array([1.0, 2.0, 3.0]), np.arange(6.0).reshape(3, 2))
    written.write(tmp_path / "model.safetensors", CLASSES)
    found = PhotoCalibration.load(tmp_path / "model.safetensors", CLASSES[::-1])
    assert found.temperature == 1.25
    assert found.offsets.tolist() == [3, 2, 1]
    assert found.weights.tolist() == [[4, 5], [2, 3], [0, 1]]
