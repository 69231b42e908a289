"""Data sets with channels and a size of their own, from the folder to the report and back."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import Result

from fashionbench.config.study import Study
from fashionbench.core.shape import GREY28, Shape, shape_of
from fashionbench.data.datasets import find_shape, load_data
from fashionbench.errors import UsageError
from fashionbench.experiments.comparison import compare
from fashionbench.experiments.planning import plan
from fashionbench.inference.export import export_model
from fashionbench.inference.predictor import load_predictor
from fashionbench.models.adapter import Adapter
from fashionbench.models.build import build_model
from fashionbench.models.checkpoint import load_model
from fashionbench.models.cost import flops_per_image
from fashionbench.models.table import MODELS
from fashionbench.serve.answers import (
    Refusal,
    answer_json,
    answer_picture,
    answer_why,
    describe_models,
)
from fashionbench.serve.served_models import load_served_models
from fashionbench.training.augment import augment, draw

COLORS = {"red": (220, 60, 60), "green": (60, 220, 60), "blue": (60, 60, 220)}
COLOR32 = Shape(3, 32)
SMALL = ("v0", "v1", "v2", "mlp", "linear", "mlp-wide", "lenet", "vgg", "vgg-tiny", "separable")
SMALL += ("speednet", "convmixer", "vit", "resnet20", "wrn16-4")


@pytest.fixture(scope="module")
def colors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes that differ in nothing but their color."""
    folder, rng = tmp_path_factory.mktemp("data") / "colors", np.random.default_rng(0)
    for split, count in (("train", 60), ("test", 20)):
        for name, color in COLORS.items():
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                noise = rng.integers(-40, 41, (32, 32, 1))
                pixels = np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)
                # Each color alike bright, so that none is told apart in grey.
                bright = 128 / (np.array(color) @ (0.299, 0.587, 0.114))
                picture = Image.fromarray(np.clip(pixels * bright, 0, 255).astype(np.uint8))
                picture.save(folder / split / name / f"{number}.png")
    return folder


def test_a_folders_own_shape_is_found_unless_another_is_asked(colors: Path) -> None:
    assert find_shape(str(colors)) == COLOR32
    assert find_shape(str(colors), channels=1) == (1, 32)
    assert find_shape(str(colors), 3, 16) == (3, 16)
    assert find_shape("silhouettes") == GREY28
    assert load_data(str(colors)).train.images.shape == (180, 3, 32, 32)
    bad_channels = [{"channels": channels} for channels in (2, "1", True)]
    bad_sizes = [{"size": size} for size in (4, 4096, "28", 28.5, True)]
    for bad in (*bad_channels, *bad_sizes):
        with pytest.raises(
            UsageError, match=r"but (can be 1|should be a whole number from 8 to 512)"
        ):
            find_shape("silhouettes", **bad)


def test_phones_pictures_are_reduced_to_what_networks_need(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(5):
            Image.new("L", (300, 200), number).save(tmp_path / name / f"{number}.png")
    assert find_shape(str(tmp_path)) == (1, 64)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("shape", [COLOR32, Shape(1, 16), Shape(3, 20)])
def test_the_models_of_the_table_are_built_for_it(name: str, shape: Shape) -> None:
    images = torch.rand(2, *shape.sizes)
    model = build_model(name, seed=0, classes=4, shape=shape)
    assert not isinstance(model, Adapter)
    assert model.eval()(images).shape == (2, 4)
    assert shape_of(model) == shape
    assert flops_per_image(model)


def test_all_of_the_table_are_tried() -> None:
    others = {"resnet32", "resnet44", "resnet56", "wrn28-10", "wrn40-4"}
    assert {*SMALL} | others == {*MODELS}


def test_keys_of_grey_28x28_say_nothing_of_it() -> None:
    ((job,),) = plan(["v0"], ["default"], 1, dataset="silhouettes").entries()
    assert '"channels"' not in job.model_dump_json(exclude_defaults=True)
    ((other,),) = plan(["v0"], ["default"], 1, dataset="silhouettes", size=32).entries()
    assert other.key != job.key
    assert other.test_set != job.test_set == "silhouettes"
    fields = {"models": ["v0"], "recipes": [job.recipe], "seeds": [0], "dataset": "silhouettes"}
    assert Study.model_validate(fields).shape == GREY28  # one saved before there were others


@pytest.mark.parametrize(
    "name", ["shift:3", "flip", "rotate:20", "cutout:8", "erase:1", "noise", "pair:1"]
)
def test_augmentations_do_to_each_channel_what_they_do_to_grey(name: str) -> None:
    kind, _, strength = name.partition(":")
    chain = [(kind, float(strength or 0.5))]
    images, u = torch.rand(6, 3, 32, 32), draw(chain, 6, seed=0, epoch=0)
    found = augment(images.clone(), u, chain)
    assert found.shape == images.shape
    if kind not in ("erase", "noise"):  # which draw other pixels in each channel
        for channel in range(3):
            alone = augment(images[:, channel : channel + 1].clone(), u, chain)
            torch.testing.assert_close(found[:, channel : channel + 1], alone)


def test_colors_are_told_apart_and_the_report_says_what_was_seen(
    colors: Path, tmp_path: Path
) -> None:
    quick = {"epochs": 4, "device": "cpu", "parallel": "serial", "batch_size": 16}
    result = compare(["v2"], seeds=1, dataset=str(colors), out=tmp_path / "c", **quick)
    assert result.entries[0].accuracies == [1.0]
    assert "colors, 32x32 in color" in (tmp_path / "c" / "report.html").read_text("utf-8")
    document = json.loads((tmp_path / "c" / "results.json").read_text("utf-8"))
    assert (document["channels"], document["size"]) == (3, 32)
    model = result.load_model("v2", seed=0)
    assert model(torch.rand(1, 3, 32, 32)).shape == (1, 3)
    grey = compare(["v2"], seeds=1, dataset=str(colors), channels=1, out=tmp_path / "g", **quick)
    assert grey.entries[0].accuracies[0] < 0.7
    predictor = load_predictor(tmp_path / "c")
    pictures = [next((colors / "test" / name).glob("*.png")) for name in COLORS]
    found = predictor.predict([Image.open(p).resize((90, 60)) for p in pictures])
    assert [each.label for each in found] == [*COLORS]
    assert found[0].prepared.shape == (3, 32, 32)
    made = export_model(tmp_path / "c", "torch-export", tmp_path / "m.pt2", with_preprocessing=True)
    assert "(B, 3, 32, 32) uint8, in color" in made.card.read_text("utf-8")
    served = load_served_models(tmp_path / "c")
    assert describe_models(served, 0).size == 32
    answered = answer_picture(served, pictures[1].read_bytes())
    assert answered.answers[0].label == [*COLORS][1]
    seen = {"pixels": answered.prepared, "class_index": 0}
    assert np.shape(answer_why(served, json.dumps(seen).encode()).importance) == (32, 32)
    with pytest.raises(Refusal, match="`pixels` are 3 times 32 rows of 32 whole numbers"):
        answer_json(served, json.dumps({"pixels": answered.prepared[0]}).encode())


NET = """from torch import nn

class Grey(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 3))
    def forward(self, x):
        return self.net(x)

def color(in_channels=1, side=28):
    return nn.Sequential(nn.Flatten(), nn.Linear(in_channels * side * side, 3))
"""


def test_networks_of_ones_own_are_built_for_it_or_adapted_and_that_is_told(
    colors: Path, tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text(NET)
    names = [f"{tmp_path}/net.py:Grey", f"{tmp_path}/net.py:color"]
    quick = {"epochs": 3, "device": "cpu", "parallel": "serial", "learning_rate": 0.01}
    result = compare(names, seeds=1, dataset=str(colors), out=tmp_path / "runs", **quick)
    grey, color = (entry.runs[0] for entry in result.entries)
    assert "turned grey and reduced to 28x28" in grey.remarks["other pictures"]
    assert "other pictures" not in color.remarks
    assert color.scores.accuracy == 1 > grey.scores.accuracy
    path = next((tmp_path / "runs" / "checkpoints").glob("*color*.safetensors"))
    assert load_model(path)(torch.rand(2, 3, 32, 32)).shape == (2, 3)


def test_an_adapter_makes_colors_grey_as_pillow_does() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    grey = np.asarray(Image.fromarray(pixels).convert("L")) / 255
    seen = []

    class Looks(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x)
            return x.flatten(1)

    Adapter(Looks(), channels=1, side=8)(torch.tensor(pixels).permute(2, 0, 1)[None].float() / 255)
    np.testing.assert_allclose(seen[0][0, 0], grey, atol=1 / 255)


def test_data_tells_it(colors: Path, call_cli: Callable[..., Result]) -> None:
    assert "60 test images, 32x32 in color; " in call_cli("data", "--dataset", colors).stdout
    arguments = ("data", "--dataset", colors, "--channels", 1, "--size", 20)
    told = call_cli(*arguments).stdout
    assert "60 test images, 20x20 in grey; " in told
    assert "240 pictures were in color and 32x32: they are used as 20x20 in grey." in told
