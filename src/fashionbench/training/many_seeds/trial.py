"""Trials before many seeds are trained together: whether that is right, faster, and not too large.

All of it is found by trying, with models that are thrown away.
"""

import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from fashionbench.config.optimizers import OPTIMIZERS
from fashionbench.config.recipe import Recipe
from fashionbench.core.global_state import generator_states
from fashionbench.core.logits import pixels
from fashionbench.core.snapshot import plain_state
from fashionbench.data.split import Split
from fashionbench.training.batch import Batch
from fashionbench.training.batches import count_steps, epoch_batches
from fashionbench.training.cuda_graph import repeats_itself
from fashionbench.training.devices import reproducible, seed_generators, synchronize
from fashionbench.training.kernels.verified import build_engine
from fashionbench.training.layout import FEW, lay_out
from fashionbench.training.many_seeds.group import GROUPS, Strategy
from fashionbench.training.many_seeds.stack import Stack
from fashionbench.training.step import Step

__all__ = [
    "Build",
    "can_use_streams",
    "draws_in_training",
    "measure_seconds",
    "measure_speedup",
    "members_in_memory",
    "why_not_stackable",
]

Build = Callable[[int], nn.Module]
"""A seed -> a model with its first weights; all of them are of one class."""

ROUNDING = 1e-3
"""By how much of itself a gradient may change where sums are reordered."""
LEAST = 0.01
"""Of a gradient as a whole: one that is smaller is not looked at as closely."""
UPDATES = 3
"""Steps in which a person's own optimizer is compared."""
REHEARSED_STEPS, PROBED_STEPS = 5, 20
"""Before the clock, in which a graph is captured; and by the clock."""


def why_not_stackable(build: Build, data: Split, recipe: Recipe) -> str | None:
    """Give the reason why models that `build` makes cannot be trained together; None if they can.

    Stacked, they share all but parameters and buffers. So two fresh ones must differ in nothing
    else, and a step of both must change nothing else and teach the second what it learns alone.
    Found by trying, on the device that `data` is on.
    """
    if recipe.trains_layers_apart:
        return "its recipe trains layers apart"
    device = data.images.device
    few = Split(data.images[: 2 * recipe.batch_size], data.labels[: 2 * recipe.batch_size])
    first, second = (build(seed).to(device) for seed in (0, 1))
    # Buffers are stacked, also those that no file holds.
    buffers = {name for name, _ in first.named_buffers()}
    states = [
        {name: said for name, said in plain_state(model).items() if name not in buffers}
        for model in (first, second)
    ]
    others = _differing(*states)
    if others:
        return f"two of them differ in {others}, which members would share"
    batch = next(iter(epoch_batches(few, recipe, [0, 1], 0)))
    with reproducible(device), warnings.catch_warnings():
        # What torch says where it would compute for one member after another.
        warnings.filterwarnings("error", message="There is a performance drop")
        seed_generators(device, 0)
        try:
            # It may change the batch that it is given.
            Stack([first, second], [recipe] * 2, 1, data.side).step(batch.clone())
            # Compared in float32: with fewer bits the same sum in another order is another number.
            plain = recipe.override(precision="fp32")
            with _all_bits():
                pair = [build(seed).to(device) for seed in (0, 1)]
                stack = Stack(pair, [plain] * 2, 1, data.side)
                why_not = _why_not_as_alone(stack, lambda: build(1).to(device), batch)
                if why_not is None and plain.optimizer not in OPTIMIZERS:
                    pair = [build(seed).to(device) for seed in (0, 1)]
                    alone = build(1).to(device)
                    why_not = _why_not_updated_as_alone(pair, alone, plain, batch, data.side)
                return why_not
        except Exception as error:  # whatever a person's own code raises over stacked tensors
            return (str(error) or type(error).__name__).splitlines()[0].partition(". ")[0]


def _all_bits() -> AbstractContextManager[object]:
    """Within, have cuDNN's convolutions round to float32, not to the 10 bits of TF32."""
    return torch.backends.cudnn.flags(
        enabled=torch.backends.cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=False
    )


def _why_not_as_alone(stack: Stack, another: Callable[[], nn.Module], batch: Batch) -> str | None:
    """Compare a step of the stack's second member with the step of `another` such, alone."""
    *_, part = batch.chunk(len(stack.models))
    # Members draw for themselves what a member alone draws otherwise: then compare in eval mode.
    training = not _draws(another(), stack.recipe, part, training=True)
    if not training and _draws(another(), stack.recipe, part, training=False):
        return "it draws random numbers also where nothing is trained"
    stack.skeleton.train(training)
    held, generators = plain_state(stack.skeleton), generator_states()
    losses = stack.differentiate(batch.clone())
    libraries = [name for name, state in generator_states().items() if state != generators[name]]
    if libraries:
        return f"it draws from {' and '.join(libraries)}, and members would share what is drawn"
    changed = _differing(held, plain_state(stack.skeleton))
    if changed:
        return f"its forward method changes {changed}, which members would share"
    alone = another()
    loss = _step(alone, stack.recipe, part, training=training)
    if _last_agrees(stack, alone) and _is_near(losses[-1], loss):
        return None
    return "a step of one of them in a stack is not what it is alone"


def _why_not_updated_as_alone(
    pair: list[nn.Module],
    alone: nn.Module,
    recipe: Recipe,
    batch: Batch,
    side: tuple[int, int],
) -> str | None:
    """Compare what a person's own optimizer does to the second of two members and to one alone.

    Rounding in the gradients may grow in it, so it is given the same ones.
    """
    stack, step = Stack(pair, [recipe] * 2, 1, side), Step(alone, recipe, 1, capture=False)
    *_, part = batch.chunk(2)
    for _ in range(UPDATES):
        step.differentiate(part.clone())
        for name, parameter in alone.named_parameters():
            members = stack.parameters[name]
            if parameter.grad is not None:
                members.grad = torch.stack([-3 * parameter.grad, parameter.grad])
        step.updater.update()
        stack.updater.update()
    kept = [value for state in stack.updater.optimizer.state.values() for value in state.values()]
    if any(isinstance(value, Tensor) and value.ndim and len(value) != 2 for value in kept):
        return "its optimizer keeps what is not of one member each"
    for name, parameter in alone.named_parameters():
        if not _is_near(stack.parameters[name][-1], parameter):
            return "its optimizer takes another step with several members at once"
    return None


def _last_agrees(stack: Stack, alone: nn.Module) -> bool:
    """Tell whether the last member has the buffers and gradients of a model alone."""
    buffers = [(stack.buffers[name][-1], tensor) for name, tensor in alone.named_buffers()]
    gradients = [
        (_last(stack.parameters[name].grad, tensor), _gradient(tensor))
        for name, tensor in alone.named_parameters()
    ]
    # The gradient of a bias under a norm is rounding alone: small is what is so beside the whole.
    norms = torch.stack([expected.double().norm() for _, expected in gradients])
    whole = max(LEAST, float(norms.norm()))
    return all(_is_near(*pair) for pair in buffers) and all(
        _is_near(*pair, whole) for pair in gradients
    )


def _step(model: nn.Module, recipe: Recipe, batch: Batch, *, training: bool) -> Tensor:
    """Return a model's loss, and leave it the gradients by that."""
    step = Step(model, recipe, 1, capture=False)
    model.train(training)
    return step.differentiate(batch.clone())


def _draws(model: nn.Module, recipe: Recipe, batch: Batch, *, training: bool) -> bool:
    """Tell whether a step asks torch for random numbers."""
    before = _states_of_torch(batch)
    _step(model, recipe, batch, training=training)
    return not all(map(torch.equal, before, _states_of_torch(batch)))


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    """Name up to three facts that differ."""
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return ", ".join(names[:3])


def _states_of_torch(batch: Batch) -> list[Tensor]:
    device = batch.images.device
    of_device = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return [torch.get_rng_state(), *of_device]


def _gradient(tensor: Tensor) -> Tensor:
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad


def _last(gradient: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if gradient is None else gradient[-1]


def _is_near(found: Tensor, expected: Tensor, whole: float = LEAST) -> bool:
    """Tell whether two tensors differ by rounding alone; small ones as a part of the `whole`."""
    found, expected = found.detach().double(), expected.detach().double()
    return bool((found - expected).norm() <= ROUNDING * (expected.norm() + 1e-2 * whole))


def draws_in_training(build: Build, data: Split, recipe: Recipe) -> bool:
    """Tell whether a model that `build` makes draws random numbers as it trains: dropout does."""
    device = data.images.device
    few = Split(data.images[: recipe.batch_size], data.labels[: recipe.batch_size])
    batch = next(iter(epoch_batches(few, recipe, [0], 0)))
    with reproducible(device):
        seed_generators(device, 0)
        return _draws(build(0).to(device), recipe, batch, training=True)


def can_use_streams(model: nn.Module, recipe: Recipe, device: torch.device) -> bool:
    """Tell whether copies of `model` can be trained on streams beside each other."""
    return device.type == "cuda" and repeats_itself(model, recipe)


def measure_speedup(
    build: Build,
    data: Split,
    recipe: Recipe,
    members: int,
    *,
    strategy: Strategy = "stacked",
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return how many times as fast members take a step together as one after another.

    Tried out on the device that `data` is on, where why_not_stackable or can_use_streams says
    nothing against it.
    """
    together, alone = (
        measure_seconds(build, data, recipe, members, strategy, clock=clock),
        measure_seconds(build, data, recipe, 1, None, clock=clock),
    )
    return alone / together


def measure_seconds(
    build: Build,
    data: Split,
    recipe: Recipe,
    members: int,
    strategy: Strategy | None,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return the seconds that a step takes for each of so many members, by a few of them.

    Without a strategy they take theirs one after another.
    """
    device = data.images.device
    count = recipe.batch_size * (REHEARSED_STEPS + PROBED_STEPS)
    rows = torch.arange(count, device=device) % len(data)  # a small data set several times
    few = Split(data.images[rows], data.labels[rows])
    step: Callable[[Batch], Tensor]
    with reproducible(device):
        if strategy is None:
            model, members = build(0).to(device), 1
            engine = build_engine(model, few, recipe, threads=torch.get_num_threads())
            if engine is None:
                lay_out(model, pixels(few.images[:FEW]))
            model.train()
            step = Step(model, recipe, count_steps(len(few), recipe), engine=engine)
        else:
            models = [build(seed).to(device) for seed in range(members)]
            step = GROUPS[strategy](models, [recipe] * members, 1, few.side).step
        batches = [*epoch_batches(few, recipe, range(members), 0)]
        for batch in batches[:REHEARSED_STEPS]:
            step(batch)
        synchronize(device)
        start = clock()
        for batch in batches[REHEARSED_STEPS:]:
            step(batch)
        synchronize(device)
        return (clock() - start) / members / len(batches[REHEARSED_STEPS:])


def members_in_memory(build: Build, data: Split, recipe: Recipe, free_bytes: int) -> int:
    """Return how many members can be trained in half of the free memory; 1 or more.

    Measured on one member: what a step saves for its backward pass, and five copies of the
    weights (themselves, gradients, two states of an optimizer, a running mean).
    """
    device = data.images.device
    saved = 0  # bytes

    def count(tensor: Tensor) -> Tensor:
        nonlocal saved
        saved += tensor.numel() * tensor.element_size()
        return tensor

    with reproducible(device), torch.autograd.graph.saved_tensors_hooks(count, lambda t: t):
        model = build(0).to(device)
        model.train()
        model(pixels(data.images[: recipe.batch_size]))
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    # Gradients of activations come and go while those saved are used up: count both.
    return max(1, int(free_bytes / 2 / (2 * saved + 5 * weights)))
