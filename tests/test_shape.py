"""The shape of images, and which one a network was built for."""

import copy

import numpy as np
import torch
from torch import nn

from fashionbench.core.copies import copy_model
from fashionbench.core.shape import GREY28, Shape, remember_shape, shape_of


def test_grey_images_have_no_dimension_for_it() -> None:
    assert Shape.of(np.zeros((5, 28, 28))) == GREY28 == (1, 28)
    assert Shape.of(torch.zeros(5, 3, 32, 32)) == (3, 32)
    assert Shape.of(torch.zeros(5, 1, 16, 16)) == (1, 16)
    assert (str(GREY28), str(Shape(3, 32))) == ("28x28 in grey", "32x32 in color")


def test_a_copy_was_built_for_the_same_images() -> None:
    model = nn.Linear(2, 2)
    assert shape_of(model) == GREY28
    remember_shape(model, Shape(3, 32))
    assert shape_of(model) == shape_of(copy_model(model)) == (3, 32)
    assert shape_of(copy.deepcopy(model)) == GREY28
