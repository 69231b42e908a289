"""The map of pixels that mattered, on models whose reasons are known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fashionbench.core.shape import GREY28, Shape
from fashionbench.data.picture_facts import PictureFacts
from fashionbench.inference.occlusion import occlusion_map
from fashionbench.inference.predictor import Predictor
from fashionbench.inference.selection import PHOTO_MODEL
from fashionbench.models.checkpoint import load_facts


class Corner(nn.Module):
    """Class 0 by the light in the upper left quarter, class 1 by that in the lower right."""

    def __init__(self) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.tensor(0.1))

    def forward(self, images: Tensor) -> Tensor:
        half = images.shape[-1] // 2
        upper = images[:, 0, :half, :half].sum(dim=(1, 2))
        lower = images[:, 0, half:, half:].sum(dim=(1, 2))
        return self.strength * torch.stack([upper, lower], dim=1)


def predictor(shape: Shape = GREY28, **known: PictureFacts) -> Predictor:
    facts = load_facts(PHOTO_MODEL)  # of any model
    of_shape = {"channels": shape.channels, "size": shape.side}
    facts = facts.model_copy(update={"job": facts.job.model_copy(update=of_shape)})
    return Predictor(Corner(), "Corner", ("upper", "lower"), None, Path("nowhere"), facts, **known)


def test_pixels_speak_for_and_against() -> None:
    found = occlusion_map(predictor(), np.full((28, 28), 200, np.uint8), 0)
    assert found.shape == (28, 28)
    assert (found[:12, :12] > 0).all()
    assert (found[16:, 16:] < 0).all()
    assert np.allclose(found[:12, 16:], 0)


def test_covering_black_changes_nothing() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[5, 5] = 255
    found = occlusion_map(predictor(), image, 0)
    assert np.allclose(found[10:], 0)
    assert found[5, 5] > 0


@pytest.mark.parametrize("shape", [Shape(3, 5), Shape(1, 31), Shape(3, 64)])
def test_images_of_any_shape_are_covered_all_over(shape: Shape) -> None:
    image = np.full(shape.sizes, 200, np.uint8)
    found = occlusion_map(predictor(shape), image if shape.channels > 1 else image[0], 0)
    third = shape.side // 3
    assert found.shape == (shape.side, shape.side)
    assert np.isfinite(found).all()
    assert (found[:third, :third] > 0).all()
    assert (found[-third:, -third:] < 0).all()


def test_the_cover_is_as_bright_as_the_ground_of_the_training_images() -> None:
    on_light = predictor(pictures=PictureFacts(ground=(190.0, 210.0)))
    assert not occlusion_map(on_light, np.full((28, 28), 200, np.uint8), 0).any()
    assert (occlusion_map(on_light, np.zeros((28, 28), np.uint8), 0)[:12, :12] < 0).all()
