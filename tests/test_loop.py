"""fit against a plain textbook loop, and the promises about seeds and failure."""

import copy
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fashionbench.config.recipe import load_recipe
from fashionbench.data.split import Split, hold_out
from fashionbench.errors import UsageError
from fashionbench.models.build import build_model
from fashionbench.stats.metrics import Scores
from fashionbench.training import history, loop
from fashionbench.training.batch import Batch
from fashionbench.training.batches import epoch_order
from fashionbench.training.evaluation import evaluate
from fashionbench.training.loop import fit
from fashionbench.training.many_seeds.members import fit_members

DEFAULT = load_recipe("default")
SMALL = ("v0", "v1", "v2", "mlp", "lenet")
"""Models that train in no time; the others are made of the same layers."""


def textbook(model: nn.Module, data: Split, epochs: int, seed: int) -> nn.Module:
    """What a tutorial writes, given the order of the images; in the model's own precision."""
    floats = data.images.unsqueeze(1).to(next(model.parameters()).dtype) / 255
    loss_function = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(epochs):
        order = epoch_order(len(data), seed, epoch).tolist()
        for images, labels in DataLoader(
            TensorDataset(floats, data.labels), batch_size=32, sampler=order
        ):
            optimizer.zero_grad()
            loss_function(model(images), labels).backward()
            optimizer.step()
    return model


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_fit_gives_the_weights_of_the_textbook_loop(name: str, few: Split) -> None:
    # Sums in another order round otherwise, and training amplifies that: of two places that are
    # nearly alike the other may be pooled. What may be asked is to be, for most seeds, as near to
    # the same training in float64 as the textbook itself is. Noise leaves few places alike.
    noise = torch.randint(32, few.images.shape, generator=torch.Generator().manual_seed(0))
    data = Split(few.images // 2 + noise.to(torch.uint8), few.labels)
    errors = []
    for seed in range(3):
        ours = build_model(name, seed=seed)
        theirs, exact = copy.deepcopy(ours), copy.deepcopy(ours).double()
        before = weights(exact)
        textbook(theirs, data, epochs=2, seed=seed)
        textbook(exact, data, epochs=2, seed=seed)
        fit(ours, data, DEFAULT.override(epochs=2), seed=seed, device="cpu")
        assert [*ours.state_dict()] == [*theirs.state_dict()]
        error, textbook_error = (
            float((weights(model) - weights(exact)).abs().max()) for model in (ours, theirs)
        )
        errors.append((error, textbook_error))
        # A wrong order, rate or loss would be off by as much as the weights have moved.
        assert error < 0.05 * (weights(exact) - before).abs().max()
    error, textbook_error = (sorted(each)[1] for each in zip(*errors, strict=True))
    assert error < 5 * textbook_error


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten().double() for p in model.parameters()])


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(few: Split) -> None:
    runs = []
    for seed in (1, 1, 2):
        model = build_model("v2", seed=1)
        result = fit(model, few, DEFAULT.override(epochs=1), seed=seed, device="cpu")
        runs.append((model.classifier[1].weight.detach(), result.curve))
    assert torch.equal(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]
    assert not torch.equal(runs[0][0], runs[2][0])


@pytest.mark.parametrize("as_file", [False, True])
def test_a_recipes_name_is_as_good_as_the_recipe(as_file: bool, few: Split, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("epochs = 2\nlearning_rate = 0.05\n", "utf-8")
    name = str(path) if as_file else "default"
    named, given = (build_model("v0", seed=1) for _ in range(2))
    fit(named, few, name, seed=1, device="cpu")
    fit(given, few, load_recipe(name), seed=1, device="cpu")
    assert all(map(torch.equal, named.parameters(), given.parameters()))
    with pytest.raises(UsageError, match="no recipe 'sed'"):
        fit(named, few, "sed", device="cpu")


def gentle(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """A person's own loss."""
    return nn.functional.cross_entropy(logits, labels, label_smoothing=0.1)


def halving(step: int, steps: int) -> float:
    """A person's own schedule."""
    return 1 - step / (2 * steps)


def test_settings_replace_those_of_the_recipe_also_by_ones_own_code(few: Split) -> None:
    own = {"epochs": 1, "lr": 0.05, "loss": gentle, "schedule": halving}
    by_name = {"loss": f"{__name__}:gentle", "schedule": f"{__name__}:halving"}
    recipe = load_recipe("default").override(**{**own, **by_name})
    assert load_recipe("default").override(**own) == recipe
    one, other = build_model("v0"), build_model("v0")
    assert fit(one, few, **own, device="cpu").epochs == 1
    fit(other, few, recipe, device="cpu")
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    with pytest.raises(UsageError, match="there is no setting 'epoch'"):
        fit(one, few, epoch=1)
    with pytest.raises(UsageError, match="The loss cannot be found again by its name"):
        fit(one, few, loss=lambda logits, labels: logits.sum())


def test_torchs_own_generator_is_left_alone(few: Split) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(build_model("v0"), few, DEFAULT.override(epochs=1), device="cpu")
    assert torch.equal(torch.rand(3), expected)


class Watched(nn.Sequential):
    """Drops half, and keeps what it dropped."""

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Dropout(0.5), nn.Linear(784, 10))
        self.masks: list[torch.Tensor] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.masks.append(self[1](torch.ones(64)))
        return super().forward(images)


def test_dropout_follows_from_seed_and_epoch_alone_also_after_a_stop(few: Split) -> None:
    first, states = Watched(), []
    recipe = DEFAULT.override(epochs=2, batch_size=250)

    def trained(noise: int, seed: int = 1, **more: Any) -> Watched:
        torch.manual_seed(noise)
        model = copy.deepcopy(first)
        fit(model, few, recipe, seed=seed, device="cpu", **more)
        return model

    whole = trained(0, keep=lambda state: states.append(copy.deepcopy(state)))
    again, resumed, other = trained(1), trained(2, resume=states[0]), trained(0, seed=2)
    assert torch.equal(whole[2].weight, again[2].weight)
    assert torch.equal(whole[2].weight, resumed[2].weight)
    assert not torch.equal(whole[2].weight, other[2].weight)
    assert len(whole.masks) == 4
    assert not torch.equal(whole.masks[0], whole.masks[2]), "each epoch drops anew"


def test_the_clock_runs_for_training_alone(few: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch's batches take a second here, a look at the validation images 100."""
    now = [0.0]
    batches, score = loop.epoch_batches, history.evaluate

    def slow_batches(*given: Any) -> Iterator[Batch]:
        now[0] += 1
        return batches(*given)

    def slow_score(*given: Any) -> Scores:
        now[0] += 100
        return score(*given)

    def slow_start(*_: Any) -> float:
        now[0] += 1000
        return 1000.0

    for module in (loop, history):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(loop, "epoch_batches", slow_batches)
    monkeypatch.setattr(history, "evaluate", slow_score)
    monkeypatch.setattr(loop, "warm_up", slow_start)
    recipe = DEFAULT.override(epochs=2, validation_images=100)
    run = fit(build_model("v0"), few, recipe, device="cpu")
    assert (run.train_seconds, run.validation_seconds, run.warm_up_seconds) == (2, 200, 1000)


@pytest.mark.slow
@pytest.mark.parametrize("stacked", [False, True])
def test_the_weights_restored_are_those_that_were_validated(stacked: bool, few: Split) -> None:
    recipe = DEFAULT.override(
        epochs=8,
        learning_rate=0.5,
        validation_images=100,
        patience=2,
        monitor="accuracy",
        ema=0.9,
        test_views="flip",
    )
    model = build_model("mlp", seed=1)
    if stacked:
        run, _ = fit_members([model, build_model("mlp")], few, recipe, [1, 2], device="cpu")
    else:
        run = fit(model, few, recipe, 1, device="cpu")
    best = run.best_epoch(recipe)
    assert best < run.epochs
    scores = evaluate(model, hold_out(few, 100)[1], "flip")
    assert run.validation_curve[best - 1][1] == pytest.approx(scores.loss, rel=1e-5)
    one_view = evaluate(model, hold_out(few, 100)[1])
    assert one_view.loss != pytest.approx(scores.loss, rel=1e-3)


class Untrainable(nn.Module):
    """Its loss is NaN from the first batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(784, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layer(images.flatten(1)) * math.nan


def test_a_diverged_run_ends_with_its_epoch_and_says_so(few: Split) -> None:
    result = fit(Untrainable(), few, DEFAULT, device="cpu")
    assert result.diverged
    assert result.epochs == 1


def test_validation_images_are_watched_not_trained_on(few: Split) -> None:
    recipe = DEFAULT.override(epochs=2, validation_images=100)
    result = fit(build_model("v0"), few, recipe, device="cpu")
    assert [epoch for epoch, _, _ in result.validation_curve] == [1, 2]
    # 400 images are left: 13 steps an epoch, each a point of the curve.
    assert len(result.curve) == 26


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam"])
def test_every_optimizer_lowers_the_loss(optimizer: str, few: Split) -> None:
    rate = 0.1 if optimizer == "sgd" else 0.003
    recipe = DEFAULT.override(epochs=5, optimizer=optimizer, learning_rate=rate)
    result = fit(build_model("mlp"), few, recipe, device="cpu")
    assert result.curve[-1][1] < 0.8 * result.curve[0][1]
    assert result.curve[-1][0] == 5


def test_early_stopping_ends_with_the_best_epochs_weights(few: Split) -> None:
    recipe = DEFAULT.override(
        epochs=30, learning_rate=0.5, validation_images=200, patience=2, monitor="accuracy"
    )
    model = build_model("mlp", seed=1)
    result = fit(model, few, recipe, 1, device="cpu")
    accuracies = [accuracy for _, _, accuracy in result.validation_curve]
    best = result.best_epoch(recipe)
    assert result.epochs < 30
    assert best == accuracies.index(max(accuracies)) + 1 == result.epochs - 2
    shorter = build_model("mlp", seed=1)
    fit(shorter, few, recipe.override(epochs=best, patience=99), 1, device="cpu")
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), shorter.parameters(), strict=True)
    )


def test_bf16_trains_and_leaves_weights_in_float32(few: Split) -> None:
    models = [build_model("mlp", 0) for _ in range(2)]
    curves = []
    for model, precision in zip(models, ("fp32", "bf16"), strict=True):
        recipe = DEFAULT.override(precision=precision)
        curves.append(fit(model, few, recipe, device="cpu").curve)
    assert all(p.dtype == torch.float32 for p in models[1].parameters())
    assert curves[0] != curves[1]
    assert curves[0][-1][1] == pytest.approx(curves[1][-1][1], rel=0.05)


class Counting(nn.Sequential):
    """Keeps how many threads it was called on."""

    def __init__(self, features: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(784, features), nn.Linear(features, 10))
        self.threads: set[int] = set()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.threads.add(torch.get_num_threads())
        return super().forward(images)


@pytest.mark.slow
@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(("features", "threads"), [(10, 1), (1000, 2)])
def test_threads_are_as_many_as_a_step_is_worth(features: int, threads: int, few: Split) -> None:
    model = Counting(features)
    fit(model, few, DEFAULT.override(epochs=1), device="cpu")
    assert model.threads == {threads}
    assert torch.get_num_threads() == 2, "as before"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees_with_the_cpu(few: Split) -> None:
    models = {device: build_model("v2", seed=0) for device in ("cpu", "cuda")}
    for device, model in models.items():
        fit(model, few, DEFAULT.override(epochs=1), seed=0, device=device)
    for a, b in zip(models["cpu"].parameters(), models["cuda"].parameters(), strict=True):
        torch.testing.assert_close(a, b.cpu(), rtol=1e-2, atol=1e-3)


@pytest.mark.slow
def test_plain_training_does_not_load_torchs_compiler() -> None:
    """It takes a second, and torch's own SGD loads it."""
    program = (
        "import sys, fashionbench as fb; "
        "from fashionbench.data.datasets import Split; train = fb.load_data('silhouettes').train; "
        "few = Split(train.images[:64], train.labels[:64]); recipe = fb.load_recipe('default'); "
        "fb.fit(fb.build_model('v0'), few, recipe, device='cpu'); "
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
