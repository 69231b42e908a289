"""The update rules against torch's own, and against the papers' where torch has none."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import small_model
from torch import nn

from fashionbench.config.optimizers import OPTIMIZERS
from fashionbench.config.recipe import load_recipe
from fashionbench.training import optimizers, updater
from fashionbench.training.optimizers import _RULES, Lion, Muon, build_optimizer

DEFAULT = load_recipe("default")
PLAIN = {
    "sgd": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
}
SETTINGS = [
    {},
    {"weight_decay": 0.1},
    {"momentum": 0.9},
    {"momentum": 0.9, "nesterov": True},
    {"betas": (0.8, 0.95)},
]


IMAGES = torch.rand(8, 1, 7, 7, generator=torch.Generator().manual_seed(0))


def take_steps(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 3) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        model(IMAGES).square().mean().backward()
        optimizer.step()


def test_the_table_has_every_name_a_recipe_may_use() -> None:
    assert set(_RULES) == set(OPTIMIZERS)


def test_torch_has_the_private_kernels_that_the_rules_call() -> None:
    text = Path(optimizers.__file__).read_text("utf-8") + Path(updater.__file__).read_text("utf-8")
    called = {*re.findall(r"torch\.(_\w+)\(", text)}
    assert "_fused_sgd_" in called
    missing = sorted(name for name in called if not hasattr(torch, name))
    assert not missing, f"torch no longer has {missing}: optimizers.py and updater.py call them."
    taken = [argument.name for argument in torch.ops.aten._fused_sgd_.default._schema.arguments]
    assert taken == [
        *("self", "grads", "momentum_buffer_list", "weight_decay", "momentum", "lr"),
        *("dampening", "nesterov", "maximize", "is_first_step", "grad_scale", "found_inf"),
    ], "torch._fused_sgd_ takes other arguments now: SGD.update in optimizers.py gives these."


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        (name, settings)
        for name in PLAIN
        for settings in SETTINGS
        if {*settings} <= {*OPTIMIZERS[name].settings, "weight_decay"}
    ],
    ids=str,
)
def test_steps_are_those_of_torchs_plain_implementation(name: str, settings: dict) -> None:
    recipe = DEFAULT.override(optimizer=name, learning_rate=0.01, **settings)
    ours, theirs = small_model(), small_model()
    take_steps(ours, build_optimizer(ours.parameters(), recipe))
    own = {key: value for key, value in settings.items() if key != "weight_decay"}
    groups = [
        {
            "params": [p for p in theirs.parameters() if (p.ndim > 1) == matrices],
            "weight_decay": settings.get("weight_decay", 0) * matrices,
        }
        for matrices in (True, False)
    ]
    take_steps(theirs, PLAIN[name](groups, lr=0.01, foreach=False, **own))
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_lion_is_the_published_update() -> None:
    rng = np.random.default_rng(0)
    weight, mean = rng.normal(size=(3, 4)), np.zeros((3, 4))
    parameter = nn.Parameter(torch.tensor(weight))
    optimizer = Lion([parameter], lr=0.01, betas=(0.9, 0.99), weight_decay=0.1)
    for _ in range(5):
        gradient = rng.normal(size=(3, 4))
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        direction = np.sign(0.9 * mean + 0.1 * gradient)
        weight = weight - 0.01 * (direction + 0.1 * weight)
        mean = 0.99 * mean + 0.01 * gradient
    np.testing.assert_allclose(parameter.detach().numpy(), weight)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5)])
@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_is_torchs_for_a_matrix(shape: tuple[int, int], nesterov: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    ours, theirs = (nn.Parameter(torch.ones(shape)) for _ in range(2))
    settings = {"lr": 0.1, "momentum": 0.9, "nesterov": nesterov, "weight_decay": 0.1}
    optimizers = [
        Muon([{"params": [ours], "matrices": True}], **settings),
        torch.optim.Muon([theirs], adjust_lr_fn="match_rms_adamw", **settings),
    ]
    for _ in range(3):
        gradient = torch.randn(shape, generator=generator)
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    # torch orthogonalizes in bfloat16, which has three significant digits.
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0.01)
    assert (ours - 1).abs().max() > 0.05


def test_muon_turns_a_gradient_into_a_nearly_orthogonal_step() -> None:
    parameter = nn.Parameter(torch.zeros(8, 2, 3, 3))  # a convolution's: an (8, 18) matrix
    parameter.grad = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    Muon([{"params": [parameter], "matrices": True}], lr=1.0, nesterov=False).step()
    singular = torch.linalg.svdvals(parameter.detach().flatten(1)) / (0.2 * 18**0.5)
    # Jordan 2024: the five steps bring singular values into about 0.7 to 1.2, not to 1.
    assert 0.6 < singular.min() <= singular.max() < 1.3


def test_muon_updates_what_is_no_matrix_as_adamw() -> None:
    recipe = DEFAULT.override(optimizer="muon", learning_rate=0.01)
    ours, theirs = small_model(), small_model()
    take_steps(ours, build_optimizer(ours.parameters(), recipe), steps=1)
    take_steps(theirs, torch.optim.AdamW(theirs.parameters(), lr=0.01, weight_decay=0), steps=1)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        if a.ndim == 1:
            torch.testing.assert_close(a, b)
        else:
            assert not torch.allclose(a, b)


def test_muon_counts_the_steps_of_each_parameter_as_adamw_does() -> None:
    generator = torch.Generator().manual_seed(0)
    ours, theirs = ([nn.Parameter(torch.ones(3)) for _ in range(2)] for _ in range(2))
    optimizers = [Muon(ours, lr=0.01), torch.optim.AdamW(theirs, lr=0.01, weight_decay=0)]
    for step in range(8):
        gradients = [torch.randn(3, generator=generator) for _ in range(2)]
        if step < 4:  # the second is frozen at first
            del gradients[1]
        for parameters, optimizer in zip((ours, theirs), optimizers, strict=True):
            for parameter, gradient in zip(parameters, gradients, strict=False):
                parameter.grad = gradient.clone()
            optimizer.step()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)
