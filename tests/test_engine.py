"""The C function against torch in float64, over networks and batches of every shape."""

import copy
import random
import time
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import stack_module_state

from fashionbench.models.build import build_model
from fashionbench.training.batch import Batch
from fashionbench.training.kernels.compiler import load_library
from fashionbench.training.kernels.engine import Engine
from fashionbench.training.kernels.layers import MATRIX, Layer, find_layers

library = load_library()
pytestmark = pytest.mark.skipif(library is None, reason="there is no C compiler")


def engine_of(model: nn.Module, side: tuple[int, int] = (28, 28), threads: int = 1) -> Engine:
    layers = find_layers(model, *side)
    assert library is not None
    assert layers is not None
    return Engine(library, layers, threads=threads, images=300)


def draw(images: int, side: tuple[int, int] = (28, 28), classes: int = 10) -> tuple[Tensor, Tensor]:
    return torch.rand(images, 1, *side), torch.randint(classes, (images,))


def draw_network(rng: random.Random) -> tuple[nn.Sequential, tuple[int, int]]:
    """Some convolutions with what may follow them, and some matrices."""
    channels, height, width = 1, rng.randint(5, 20), rng.randint(5, 20)
    side, layers = (height, width), []
    for _ in range(rng.randint(0, 3)):
        kernel, padding, stride = rng.randint(1, 7), rng.randint(0, 4), rng.choice([1, 1, 2])
        if min(height, width) + 2 * padding < kernel:
            continue
        outputs = rng.randint(1, 12)
        layers.append(
            nn.Conv2d(channels, outputs, kernel, stride, padding, bias=rng.random() < 0.7)
        )
        channels = outputs
        height, width = ((s + 2 * padding - kernel) // stride + 1 for s in (height, width))
        if rng.random() < 0.3 and height * width > 1:
            layers.append(nn.BatchNorm2d(channels))
        if rng.random() < 0.7:
            layers.append(nn.ReLU())
        if rng.random() < 0.5 and min(height, width) >= 2:
            layers.append(nn.MaxPool2d(2))
            height, width = height // 2, width // 2
    if layers and rng.random() < 0.3:
        layers.append(nn.AdaptiveAvgPool2d(1))
        height = width = 1
    layers.append(nn.Flatten())
    features = channels * height * width
    for _ in range(rng.randint(0, 2)):
        outputs = rng.randint(1, 20)
        layers.append(nn.Linear(features, outputs, bias=rng.random() < 0.8))
        features = outputs
        if rng.random() < 0.6:
            layers.append(nn.ReLU())
    layers.append(nn.Linear(features, 10))
    return nn.Sequential(*layers), side


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.double() for name, p in model.named_parameters() if p.grad is not None}


def by_torch(
    model: nn.Module, images: Tensor, labels: Tensor, label_smoothing: float = 0
) -> Tensor:
    loss = F.cross_entropy(model(images), labels, label_smoothing=label_smoothing)
    loss.backward()
    return loss.detach()


@pytest.mark.parametrize("seed", range(60))
def test_gradients_of_drawn_networks_are_those_of_float64(seed: int) -> None:
    rng = random.Random(seed)
    torch.manual_seed(seed)
    model, side = draw_network(rng)
    count, threads, smoothing = rng.choice([2, 5, 15, 16, 17, 33, 300]), rng.choice([1, 2]), 0.1
    images, labels = draw(count, side)
    exact, single = copy.deepcopy(model).double(), copy.deepcopy(model)
    expected = by_torch(exact, images.double(), labels, smoothing)
    by_torch(single, images, labels, smoothing)
    engine = engine_of(model, side, threads)
    loss = engine.differentiate(Batch(images, labels), smoothing)[0]
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)
    right, rounded = gradients(exact), gradients(single)
    largest = max(float(g.abs().max()) for g in right.values())
    for name, found in gradients(model).items():
        error = float((found - right[name]).abs().max())
        # The gradient of a bias before a normalization is 0: what is there is rounding alone.
        allowed = 4 * float((rounded[name] - right[name]).abs().max()) + 1e-5 * largest
        assert error <= allowed, name
    for found, expected in zip(model.buffers(), exact.buffers(), strict=True):
        torch.testing.assert_close(found.double(), expected.double(), rtol=1e-5, atol=1e-6)
    exact.eval()
    with torch.no_grad():
        logits = exact(images.double())
    torch.testing.assert_close(engine.answer(images)[0].double(), logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["v0", "v1", "v2", "lenet"])
def test_rounding_is_no_larger_than_that_of_torch(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(name, seed=1)
    images, labels = draw(32)
    exact, single = copy.deepcopy(model).double(), copy.deepcopy(model)
    by_torch(exact, images.double(), labels)
    by_torch(single, images, labels)
    engine_of(model).differentiate(Batch(images, labels))
    right, rounded, found = gradients(exact), gradients(single), gradients(model)

    def error(of: dict[str, Tensor]) -> float:
        parts = [(of[name] - right[name]).norm() / right[name].norm() for name in right]
        return float(torch.stack(parts).norm())

    assert error(found) <= error(rounded)


@pytest.mark.parametrize("name", ["v0", "v2", "lenet", "vgg-tiny"])
@pytest.mark.parametrize("count", [1, 17, 32, 300])
def test_numbers_do_not_depend_on_how_many_threads_there_are(name: str, count: int) -> None:
    torch.manual_seed(0)
    images, labels = draw(count)
    found = []
    for threads in (1, 2, 3, 7):
        model = build_model(name, seed=1)
        engine = engine_of(model, threads=threads)
        loss = engine.differentiate(Batch(images, labels))[0]
        found.append([loss, *(p.grad for p in model.parameters()), engine.answer(images)[0]])
    for others in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], others, strict=True))


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts the threads of Linux")
@pytest.mark.parametrize(("name", "more"), [("v0", 0), ("v2", 3)])
def test_there_are_no_more_threads_than_have_something_to_do(name: str, more: int) -> None:
    threads = len([*Path("/proc/self/task").iterdir()])
    engine = engine_of(build_model(name), threads=4)
    assert len([*Path("/proc/self/task").iterdir()]) - threads == more
    del engine


def test_mixed_images_are_scored_against_both_labels() -> None:
    torch.manual_seed(0)
    images, labels = draw(20)
    partners, shares = labels.roll(1), torch.rand(20)
    model = build_model("v2", seed=0)
    other = copy.deepcopy(model)
    loss = engine_of(model).differentiate(Batch(images, labels, partners, shares), 0.1)[0]
    logits = other(images)
    losses = [
        F.cross_entropy(logits, to, reduction="none", label_smoothing=0.1)
        for to in (labels, partners)
    ]
    expected = (shares * losses[0] + (1 - shares) * losses[1]).mean()
    expected.backward()
    torch.testing.assert_close(loss, expected.detach())
    for name, found in gradients(model).items():
        torch.testing.assert_close(found, gradients(other)[name], rtol=1e-4, atol=1e-6)


def test_equal_neighbours_are_pooled_as_torch_pools_them() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 10))
    images, labels = (torch.rand(16, 1, 8, 8) > 0.5).float(), torch.randint(10, (16,))
    with torch.no_grad():
        model[0].weight.copy_(model[0].weight.sign())
        model[0].bias.zero_()
    other = copy.deepcopy(model)
    by_torch(other, images, labels)
    engine_of(model, (8, 8)).differentiate(Batch(images, labels))
    for name, found in gradients(model).items():
        torch.testing.assert_close(found, gradients(other)[name], rtol=1e-4, atol=1e-6)


def test_units_that_let_nothing_through_have_no_gradient() -> None:
    model = build_model("v2", seed=0)
    with torch.no_grad():
        model.get_submodule("block_1.2").bias.fill_(-100)
    engine_of(model).differentiate(Batch(*draw(32)))
    found = gradients(model)
    assert not found["block_1.0.weight"].any()
    assert not found["block_1.2.weight"].any()
    assert found["classifier.1.bias"].any()


@pytest.mark.parametrize("name", ["v0", "v2", "vgg-tiny"])
def test_a_number_that_is_none_stays_none(name: str) -> None:
    model = build_model(name, seed=0)
    images, labels = draw(32)
    images[5, 0, 3, 3] = torch.nan
    engine = engine_of(model)
    assert engine.differentiate(Batch(images, labels)).isnan()
    assert all(grad.isnan().any() for grad in gradients(model).values())
    with torch.no_grad():
        next(model.parameters()).fill_(torch.nan)
    assert engine.answer(images)[0].isnan().all()


@pytest.mark.parametrize("name", ["v0", "v2", "vgg-tiny"])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_each_of_many_models_computes_to_the_bit_what_it_does_alone(
    name: str, threads: int
) -> None:
    torch.manual_seed(0)
    models = [build_model(name, seed=seed) for seed in range(3)]
    for model in models:
        model.train()
    images, labels = draw(3 * 20)
    skeleton = copy.deepcopy(models[0])
    parameters, buffers = stack_module_state(models)
    together = {**parameters, **buffers}
    places = {
        id(t): together[n] for n, t in [*skeleton.named_parameters(), *skeleton.named_buffers()]
    }
    layers = find_layers(skeleton, 28, 28)
    assert library is not None
    assert layers is not None
    many = Engine(
        library, layers, threads=threads, images=20, members=3, stacked=lambda t: places[id(t)]
    )
    losses = many.differentiate(Batch(images, labels))
    logits = many.answer(images[:20])
    for row, model in enumerate(models):
        rows = slice(20 * row, 20 * row + 20)
        alone = engine_of(model)
        loss = alone.differentiate(Batch(images[rows], labels[rows]))[0]
        assert torch.equal(losses[row], loss)
        for key, parameter in model.named_parameters():
            assert torch.equal(together[key].grad[row], parameter.grad)
        for key, buffer in model.named_buffers():
            assert torch.equal(together[key][row], buffer)
        assert torch.equal(logits[row], alone.answer(images[:20])[0])


def test_frozen_parameters_have_no_gradient() -> None:
    model = build_model("v2", seed=0)
    engine = engine_of(model)
    images, labels = draw(8)
    engine.differentiate(Batch(images, labels))
    first = next(model.parameters())
    first.requires_grad_(False)
    engine.differentiate(Batch(images, labels))
    assert first.grad is None
    assert len(gradients(model)) == 9


def test_weights_that_have_moved_in_memory_are_found() -> None:
    model = build_model("v0", seed=0)
    engine = engine_of(model)
    images, _ = draw(8)
    for parameter in model.parameters():
        parameter.data = torch.zeros_like(parameter)
    assert not engine.answer(images)[0].any()


def test_memory_that_cannot_be_had_is_said() -> None:
    assert library is not None
    with pytest.raises(MemoryError):  # a petabyte for its gradients
        Engine(library, [Layer(MATRIX, 2**24, 2**20, 1, 1)], threads=1, images=8)


def test_denormal_numbers_take_no_longer() -> None:
    images, labels = draw(32)

    def seconds(scale: float) -> float:
        model = build_model("v2", seed=0)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(scale)
        engine, times = engine_of(model), []
        for _ in range(20):
            start = time.perf_counter()
            engine.differentiate(Batch(images, labels))
            times.append(time.perf_counter() - start)
        return min(times)

    assert seconds(1e-38) < 3 * seconds(1)
