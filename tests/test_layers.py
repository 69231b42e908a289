"""A model is read as a row of layers, however it is written down, or not at all."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashionbench.models.build import build_model
from fashionbench.training.kernels.layers import CONVOLUTION, MATRIX, MEAN, find_layers


class Functional(nn.Module):
    """V2's first block and a matrix, written as courses write it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 6, 5, stride=2)
        self.last = nn.Linear(6 * 5 * 5, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.first(images)), 2)
        x = torch.relu(self.second(x))
        return self.last(x.view(x.size(0), -1))


def kinds(model: nn.Module) -> list[int] | None:
    layers = find_layers(model, 28, 28)
    return None if layers is None else [layer.kind for layer in layers]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("v0", [MATRIX] * 2),
        ("v1", [MATRIX] * 2),
        ("v2", [CONVOLUTION] * 4 + [MATRIX]),
        ("mlp", [MATRIX] * 2),
        ("linear", [MATRIX]),
        ("lenet", [CONVOLUTION] * 2 + [MATRIX] * 3),
        ("vgg-tiny", [CONVOLUTION] * 6 + [MEAN, MATRIX]),
        ("resnet20", None),
        ("separable", None),
        ("mlp-wide", None),
        ("v2:hidden_units=80", None),
    ],
)
def test_models_of_the_table(name: str, expected: list[int] | None) -> None:
    assert kinds(build_model(name, seed=0)) == expected


def test_layers_called_by_functions_are_found_with_their_sizes() -> None:
    layers = find_layers(Functional(), 28, 28)
    assert layers is not None
    first, second, last = layers
    assert (first.inputs, first.outputs, first.padding, first.relu, first.pool) == (
        1,
        4,
        1,
        True,
        True,
    )
    assert (second.height, second.width, second.stride, second.relu) == (14, 14, 2, True)
    assert (last.inputs, last.outputs, last.relu) == (150, 10, False)


@pytest.mark.parametrize(
    "flatten",
    [
        lambda x: x.flatten(1),
        lambda x: torch.flatten(x, start_dim=1),
        lambda x: x.reshape(x.shape[0], -1),
        lambda x: x.view(-1, 4 * 28 * 28),
        lambda x: x.view(x.size()[0], 4 * 28 * 28),
    ],
)
def test_every_way_to_flatten_is_one(flatten) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(1, 4, 3, padding=1)
            self.matrix = nn.Linear(4 * 28 * 28, 10)

        def forward(self, images: Tensor) -> Tensor:
            return self.matrix(flatten(self.convolution(images)))

    assert kinds(Net()) == [CONVOLUTION, MATRIX]


def row(*layers: nn.Module) -> nn.Sequential:
    """Two layers that are known, with others between them."""
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), *layers, nn.Flatten(), nn.LazyLinear(10))


@pytest.mark.parametrize(
    "between",
    [
        nn.Tanh(),
        nn.Dropout(0.1),
        nn.AvgPool2d(2),
        nn.MaxPool2d(3),
        nn.MaxPool2d(2, stride=1),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.MaxPool2d(2, padding=1),
        nn.MaxPool2d(2, dilation=2, stride=2),
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(4, 4, 3, dilation=2),
        nn.Conv2d(4, 4, (3, 1)),
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"),
        nn.Conv2d(4, 4, 3, stride=3),
        nn.Conv2d(4, 4, 9),
        nn.BatchNorm2d(4, affine=False),
        nn.BatchNorm2d(4, momentum=None),
        nn.BatchNorm2d(4, track_running_stats=False),
        nn.GroupNorm(2, 4),
        nn.Sequential(nn.ReLU(), nn.BatchNorm2d(4)),
        nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(2)),
    ],
    ids=str,
)
def test_other_layers_make_it_none(between: nn.Module) -> None:
    model = row(between)
    model(torch.zeros(2, 1, 28, 28))
    assert kinds(row()) is None  # a lazy layer has no shape yet
    assert kinds(model) is None


def test_what_is_attached_to_a_model_makes_it_none() -> None:
    hooked, reparametrized, tied = (build_model("v2", seed=0) for _ in range(3))
    assert kinds(hooked) is not None
    hooked.get_submodule("block_1.0").register_forward_hook(lambda *_: None)
    nn.utils.parametrizations.weight_norm(reparametrized.get_submodule("block_1.0"))
    tied.get_submodule("block_2.0").weight = tied.get_submodule("block_2.2").weight
    assert kinds(hooked) is None
    assert kinds(reparametrized) is None
    assert kinds(tied) is None


def test_hooks_of_gradients_and_of_all_modules_make_it_none() -> None:
    masked, watched, plain = (build_model("v0", seed=0) for _ in range(3))
    next(masked.parameters()).register_hook(torch.zeros_like)
    next(watched.parameters()).register_post_accumulate_grad_hook(lambda _: None)
    assert kinds(masked) is None
    assert kinds(watched) is None
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        assert kinds(plain) is None
    finally:
        handle.remove()
    assert kinds(plain) is not None


def test_modules_that_other_threads_compute_with_are_left_alone() -> None:
    class Watching(nn.Sequential):
        def forward(self, images: Tensor) -> Tensor:
            seen.append((nn.Module.__call__, elsewhere(torch.zeros(2, 3)).shape))
            return super().forward(images)

    seen: list[object] = []
    elsewhere, usual = nn.Linear(3, 4), nn.Module.__call__
    find_layers(Watching(nn.Flatten(), nn.Linear(784, 10)), 28, 28)
    assert seen == [(usual, (2, 4))]


def test_a_forward_pass_put_on_a_layer_is_not_overlooked() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.ReLU())
    model[2].forward = lambda x: F.relu(x - 1)
    assert kinds(model) is None


def test_a_model_that_train_changes_is_none() -> None:
    class Growing(nn.Sequential):
        """Lets its images through one layer more from the fourth epoch on."""

        epochs = 0

        def train(self, mode: bool = True) -> "Growing":
            self.epochs += mode
            return super().train(mode)

        def forward(self, images: Tensor) -> Tensor:
            images = self[1](self[0](images))
            return self[2](images) if self.epochs > 3 else images

    assert kinds(Growing(nn.Flatten(), nn.Linear(784, 10), nn.ReLU())) is None


def test_a_mean_over_the_images_themselves_makes_it_none() -> None:
    first = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 10))
    assert kinds(first) is None


def test_a_norm_over_one_place_makes_it_none() -> None:
    # Of a single image torch refuses to compute its variance.
    layers = [nn.Conv2d(1, 4, 7, stride=2), nn.Conv2d(4, 4, 7), nn.Conv2d(4, 4, 5)]
    ends = [nn.Flatten(), nn.Linear(4, 10)]
    assert kinds(nn.Sequential(*layers, *ends)) is not None
    assert kinds(nn.Sequential(*layers, nn.BatchNorm2d(4), *ends)) is None


def test_what_is_not_one_row_is_none() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(1, 1, 3, padding=1)
            self.last = nn.Linear(784, 10)

        def forward(self, images: Tensor) -> Tensor:
            return self.last(torch.flatten(images + self.first(images), 1))

    class Branches(Residual):
        def forward(self, images: Tensor) -> Tensor:
            if images.mean() > 0:
                images = self.first(images)
            return self.last(images.flatten(1))

    class Scaled(Residual):
        def forward(self, images: Tensor) -> Tensor:
            return self.last(self.first(images).flatten(1)) * 2

    class WithoutMatrix(Residual):
        def forward(self, images: Tensor) -> Tensor:
            return self.first(images).flatten(1)

    for model in (Residual(), Branches(), Scaled(), WithoutMatrix()):
        assert kinds(model) is None
