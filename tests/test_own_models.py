"""A person's own model: taken as it is, adapted where it must be, its faults explained."""

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import Result

from fashionbench.checkpoint import load_model
from fashionbench.errors import FashionbenchError, StoreError, UsageError
from fashionbench.models import build_model, identify, model_entry
from fashionbench.models.adapter import SHAPES, Adapter

NET = """
from torch import nn

class MyNet(nn.Sequential):
    def __init__(self, width: int = 8):
        super().__init__(nn.Flatten(), nn.Linear(784, width), nn.ReLU(), nn.Linear(width, 10))

def deep(width):
    return MyNet(width)
"""


def write(folder: Path, text: str, name: str = "my_net.py") -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text), "utf-8")
    return path


def test_a_class_and_a_function_of_a_file_are_models(tmp_path: Path) -> None:
    path = write(tmp_path, NET)
    name, digest = identify(f"{path}:MyNet:width=64")
    assert name == f"{path}:MyNet:width=64"
    assert model_entry(name).label == "MyNet width=64"
    assert build_model(name)[1].out_features == 64
    assert build_model(f"{path}:deep:width=3")[1].out_features == 3
    assert identify(f"{path}:MyNet:width=8")[0] == f"{path}:MyNet"
    path.write_text(path.read_text() + "# changed\n")
    assert identify(name)[1] != digest


@pytest.mark.parametrize(("channels", "side"), SHAPES)
def test_a_net_made_for_other_pictures_is_shown_ours(channels: int, side: int) -> None:
    # Takes this one shape and no other.
    net = nn.Sequential(nn.Flatten(), nn.Linear(channels * side * side, 10))
    from fashionbench.models.adapter import adapted

    model, answer = adapted(net)
    assert answer.shape == (2, 10)
    if (channels, side) == (1, 28):
        assert not isinstance(model, Adapter)
        return
    assert (model.channels, model.side) == (channels, side)
    images = torch.rand(3, 1, 28, 28)
    shown = []
    model.net.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    model(images)
    assert shown[0].shape == (3, channels, side, side)
    torch.testing.assert_close(shown[0][:, 0].mean(), images.mean(), rtol=0.02, atol=0)


@pytest.mark.parametrize(
    "name",
    [
        "torchvision.models:resnet18:num_classes=10",
        "torchvision.models:mobilenet_v3_small:num_classes=10",
        "torchvision.models:squeezenet1_1:num_classes=10",
        "torchvision.models:alexnet:num_classes=10",
    ],
)
def test_nets_that_others_wrote_run_unchanged(name: str) -> None:
    model = build_model(identify(name)[0]).eval()
    logits = model(torch.rand(2, 1, 28, 28))
    assert logits.shape == (2, 10)
    assert logits.isfinite().all()


FAULTS = {
    "Absent": ("has no class or function 'Absent'; it defines Wrong, Raises", NET),
    "Wrong": (r"with \(2, 7\); it must be \(2, 10\).*last layer", ""),
    "Raises": ("faults.py, line 12: no such thing", ""),
    "Needs": ("missing 1 required.*'width'.*:name=value; it takes width", ""),
    "NotFinite": ("not finite before training", ""),
    "a_list": ("gave a list; a model is a torch.nn.Module", ""),
}
FAULTY = """
from torch import nn

class Wrong(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 7))

class Raises(nn.Module):
    def forward(self, x):
        return self.helper(x)
    def helper(self, x):
        raise RuntimeError("no such thing")

class Needs(nn.Module):
    def __init__(self, width):
        super().__init__()

class NotFinite(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))
    def forward(self, x):
        return super().forward(x) / 0

def a_list():
    return [1]
"""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_in_terms_of_the_persons_file(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, FAULTY, "faults.py")
    with pytest.raises(UsageError, match=FAULTS[name][0]) as refusal:
        build_model(f"{path}:{name}")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:\n", "my_net.py, line 1: invalid syntax"),
        ("import nowhere_at_all\n", "cannot be run: my_net.py, line 1: No module named"),
    ],
)
def test_a_file_that_cannot_be_run_is_told_by_line(text: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError, match=message):
        identify(f"{path}:MyNet")


def test_it_is_compared_like_any_other_and_rebuilt_while_its_file_is_the_same(
    tmp_path: Path, call_cli: Callable[..., Result]
) -> None:
    path = write(tmp_path, NET)
    quick = ["compare", "--dataset", "silhouettes", "--epochs", "1", "--seeds", "1"]
    answer = call_cli(*quick, "--models", "my_net.py:MyNet:width=4,v0")
    assert answer.exit_code == 0, answer.stderr
    assert "MyNet width=4" in answer.stdout
    (checkpoint,) = (tmp_path / "runs" / "silhouettes" / "checkpoints").glob("my*.safetensors")
    show = f"import fashionbench as fb; print(fb.load_model({str(checkpoint)!r}))"
    shown = subprocess.run([sys.executable, "-c", show], cwd=tmp_path, capture_output=True)
    assert b"out_features=4" in shown.stdout
    path.write_text(path.read_text() + "# changed\n")
    with pytest.raises(StoreError, match="has changed since"):
        load_model(checkpoint)
    path.unlink()
    with pytest.raises(UsageError, match=r"There is no file my_net\.py"):
        load_model(checkpoint)
    with pytest.raises(FashionbenchError, match="no file"):
        identify(f"{path}:MyNet")


def test_a_model_that_cannot_be_had_is_told_before_data_is_looked_for(
    tmp_path: Path, call_cli: Callable[..., Result]
) -> None:
    write(tmp_path, FAULTY)
    answer = call_cli("compare", "--models", "my_net.py:Wrong", "--data", "nowhere")
    assert answer.exit_code == 2
    assert "it must be (2, 10)" in answer.stderr
