"""Backbones by others: shown their own size, mean and deviation; told apart when absent."""

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch import nn

from fashionbench.errors import DataError, UsageError
from fashionbench.models.build import build_model
from fashionbench.models.identity import identify
from fashionbench.models.pretrained import Backbone
from fashionbench.models.table import model_entry

IMAGES = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
TIMM, TORCHVISION = "timm/test_resnet.r160_in1k", "torchvision/squeezenet1_1"


class Watch(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.shown = images
        return images.flatten(1)


def test_a_net_is_shown_normalized_pictures_of_its_size() -> None:
    watch = Watch()
    Backbone(watch, 56, (0.2, 0.4, 0.6), (0.5, 1.0, 2.0))(torch.full((2, 1, 28, 28), 0.4))
    assert watch.shown.shape == (2, 3, 56, 56)
    for channel, value in enumerate((0.4, 0.0, -0.1)):
        torch.testing.assert_close(watch.shown[:, channel], torch.full((2, 56, 56), value))


@pytest.mark.slow
def test_a_timm_net_is_built_for_grey_and_any_number_of_classes() -> None:
    timm = pytest.importorskip("timm")
    spec, _ = identify(f"{TIMM}:pretrained=False")
    model = build_model(str(spec), classes=4)
    assert model(IMAGES).shape == (2, 4)
    told = timm.get_pretrained_cfg(TIMM.partition("/")[2])
    assert model.side == told.input_size[-1]
    assert model.mean.item() == pytest.approx(sum(told.mean) / 3)
    assert model.sd.item() == pytest.approx(sum(told.std) / 3)
    assert model_entry(spec).label == f"{TIMM} pretrained=False"


def test_a_torchvision_net_keeps_its_colours() -> None:
    model = build_model(f"{TORCHVISION}:pretrained=False", classes=4)
    assert model(IMAGES).shape == (2, 4)
    # ImageNet's, as torchvision documents them.
    torch.testing.assert_close(model.mean.flatten(), torch.tensor([0.485, 0.456, 0.406]))
    torch.testing.assert_close(model.sd.flatten(), torch.tensor([0.229, 0.224, 0.225]))
    assert model.side == 224


@pytest.mark.slow
@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_nets_with_outputs_beside_their_logits_are_trained_on_these_alone(name: str) -> None:
    model = build_model(f"torchvision/{name}:pretrained=False", classes=3).train()
    logits = model(IMAGES)
    assert isinstance(logits, torch.Tensor)
    assert logits.shape == (2, 3)
    assert model.net.transform_input, "published weights are for colours of another scale"


def test_weights_of_torchvision_that_are_absent_are_told_with_file_and_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(DataError, match=r"squeezenet1_1-\w+\.pth is looked for in") as refusal:
        build_model(TORCHVISION)
    message = str(refusal.value)
    assert str(tmp_path / "hub" / "checkpoints") in message
    assert "TORCH_HOME" in message
    assert "\n" not in message


def test_weights_of_torchvision_on_the_disk_are_used_but_for_the_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.models import SqueezeNet1_1_Weights, squeezenet1_1

    theirs = squeezenet1_1(weights=None).state_dict()
    monkeypatch.setattr(SqueezeNet1_1_Weights, "get_state_dict", lambda *_, **__: theirs)
    ours = build_model(TORCHVISION).net.state_dict()
    for name, tensor in ours.items():
        same = tensor.shape == theirs[name].shape and torch.equal(tensor, theirs[name])
        assert same == (not name.startswith("classifier.1")), name


@pytest.mark.slow
def test_weights_of_timm_that_are_absent_are_told_with_file_and_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timm = pytest.importorskip("timm")

    def no_network(*_: object, pretrained: bool, **__: object) -> None:
        assert pretrained
        raise OSError("no network\nat all")

    monkeypatch.setattr(timm, "create_model", no_network)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(DataError, match=r"\(no network\): model\.safetensors") as refusal:
        build_model(TIMM)
    message = str(refusal.value)
    assert str(tmp_path / "hub" / "models--timm--test_resnet.r160_in1k") in message
    assert "HF_HOME" in message
    assert "\n" not in message


@pytest.mark.parametrize("family", ["timm", "torchvision"])
def test_a_name_that_is_not_known_is_refused_with_some_that_are(family: str) -> None:
    pytest.importorskip(family)
    with pytest.raises(UsageError, match=f"{family} has no model 'resnet15'; .* resnet152[,.]"):
        build_model(f"{family}/resnet15")
    with pytest.raises(UsageError, match=rf"{family} has no model 'qqq'; .*such as \w+, \w+"):
        build_model(f"{family}/qqq")
