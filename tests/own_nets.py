"""Networks as people write them, each with one thing that a program may get wrong silently.

A situation a class, after public reports: random features as a plain tensor, running means that no
state dict holds, dropout that stays on, a softmax over the batch, heads written first.
"""

import json
import os
import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import prune, weight_norm
from torch.nn.utils.parametrizations import weight_norm as new_weight_norm


class Plain(nn.Module):
    """Nothing is wrong with it."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(784, 16), nn.Linear(16, num_classes)

    def hidden(self, x: Tensor) -> Tensor:
        return F.relu(self.a(x.flatten(1)))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.hidden(x))


# What a checkpoint does not hold.


class RandomFeatures(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = 0.1 * torch.randn(784, 32)
        self.fc = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc((x.flatten(1) @ self.features).cos())


class RandomArray(RandomFeatures):
    """The same, drawn and kept by NumPy."""

    def __init__(self) -> None:
        super().__init__()
        self.features = np.random.randn(784, 32).astype(np.float32) * 0.1

    def forward(self, x: Tensor) -> Tensor:
        return self.fc((x.flatten(1) @ torch.from_numpy(self.features)).cos())


class UnseededArray(RandomArray):
    """Drawn by a generator that no seed reaches."""

    def __init__(self) -> None:
        super().__init__()
        draws = np.random.default_rng().normal(size=(784, 32))
        self.features = draws.astype(np.float32) * 0.1


class RunningMean(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.mean = torch.zeros(16)

    def forward(self, x: Tensor) -> Tensor:
        h = self.hidden(x)
        if self.training:
            self.mean = 0.5 * self.mean + 0.5 * h.detach().mean(0)
        return self.b(h - self.mean)


class UnsavedBuffer(RunningMean):
    def __init__(self) -> None:
        super().__init__()
        del self.mean
        self.register_buffer("mean", torch.zeros(16), persistent=False)


class Scale(Plain):
    """A plain number that training moves."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = 1.0

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.scale *= 0.99
        return self.b(self.hidden(x)) * self.scale


class LateStart(Plain):
    """Standardizes by its first batch, and remembers only in Python that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(784))
        self.ready = False

    def forward(self, x: Tensor) -> Tensor:
        if not self.ready:
            self.mean.copy_(x.flatten(1).mean(0))
            self.ready = True
        return super().forward(x.flatten(1) - self.mean)


class HookedMaximum(Plain):
    """A hook keeps a running maximum in what it closes over."""

    def __init__(self) -> None:
        super().__init__()
        largest = [0.0]

        def keep(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
            if module.training:
                largest[0] = max(largest[0], float(output.detach().max()))
            return output / (1 + largest[0])

        self.a.register_forward_hook(keep)


class ParameterHead(nn.Module):
    """The head is a parameter; the only linear layer is the body."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(784, 16)
        self.head = nn.Parameter(0.1 * torch.randn(10, 16))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.a(x.flatten(1))) @ self.head.T


class Memory(Plain):
    """Keeps what it has seen in a list, and answers by it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.seen.append(float(x.mean()))
        return super().forward(x) + sum(self.seen[-3:])


class DrawnWidth(Plain):
    """Its structure is drawn where it is built, and a seed fixes it."""

    def __init__(self) -> None:
        super().__init__()
        width = random.choice([4, 5, 6, 7, 8, 9])
        self.a, self.b = nn.Linear(784, width), nn.Linear(width, 10)


class Activations(Plain):
    """Keeps its last activations, to be looked at."""

    def forward(self, x: Tensor) -> Tensor:
        self.last = self.hidden(x)
        return self.b(self.last)


class InBuffers(Plain):
    """A running mean where it belongs."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(16))

    def forward(self, x: Tensor) -> Tensor:
        h = self.hidden(x)
        if self.training:
            self.mean.mul_(0.5).add_(h.detach().mean(0), alpha=0.5)
        return self.b(h - self.mean)


# What members of a stack would share.


class Counting(Plain):
    steps = 0

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            Counting.steps += 1
        return super().forward(x)


WARMTH = {"now": 1.0}


class SharedDict(Plain):
    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            WARMTH["now"] *= 0.9
        return super().forward(x) * WARMTH["now"]


class DropsByPython(Plain):
    def forward(self, x: Tensor) -> Tensor:
        h = self.hidden(x)
        return self.b(-h if self.training and random.random() < 0.5 else h)


class DropsByNumPy(Plain):
    def forward(self, x: Tensor) -> Tensor:
        h = self.hidden(x)
        return self.b(-h if self.training and np.random.rand() < 0.5 else h)


class OwnGenerator(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.rng = np.random.default_rng(0)

    def forward(self, x: Tensor) -> Tensor:
        noise = self.rng.normal() if self.training else 0.0
        return super().forward(x) + noise


class Unseeded(Plain):
    def forward(self, x: Tensor) -> Tensor:
        noise = np.random.default_rng().normal() if self.training else 0.0
        return super().forward(x) * (1 + noise)


# Whose answer for an image is no function of the image.


class OverTheBatch(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(super().forward(x), dim=0)


class CentredOnTheBatch(Plain):
    def forward(self, x: Tensor) -> Tensor:
        h = self.hidden(x)
        return self.b(h - h.mean(0))


class BatchStatistics(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(16, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.norm(self.hidden(x)))


class Squeezed(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.hidden(x).squeeze())


class DropsAlways(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.dropout(self.hidden(x), 0.5))


class NoiseAlways(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + 0.3 * torch.randn_like(x))


# What ends in the wrong place.


class SoftmaxOut(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return F.softmax(super().forward(x), dim=1)


class SigmoidOut(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).sigmoid()


class LogSoftmaxOut(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(super().forward(x), dim=1)


class TwoAnswers(Plain):
    def forward(self, x: Tensor) -> object:
        h = self.hidden(x)
        return (self.b(h), h) if self.training else self.b(h)


class FeaturesFirst(Plain):
    def forward(self, x: Tensor) -> object:
        h = self.hidden(x)
        return h, self.b(h)


class AlwaysTwo(Plain):
    def forward(self, x: Tensor) -> object:
        h = self.hidden(x)
        return {"hidden": h, "logits": self.b(h)}


class PlainList(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.more = [nn.Linear(16, 16)]

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.more[0](self.hidden(x)))


class LooseTensor(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.ones(16, requires_grad=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.hidden(x) * self.gain)


class HalfFrozen(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.a.requires_grad_(False)


class Unseeing(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.hidden(x).clamp(max=-1.0))  # a minimum was meant


class ZeroHead(Plain):
    """Answers all images alike before its first step, as many nets are meant to."""

    def __init__(self) -> None:
        super().__init__()
        nn.init.zeros_(self.b.weight)
        nn.init.zeros_(self.b.bias)


# What cannot be trained.


class Frozen(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.requires_grad_(False)


class NoParameters(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(784, 10)]

    def forward(self, x: Tensor) -> Tensor:
        return self.layers[0](x.flatten(1))


class NoGradient(Plain):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return super().forward(x)


class FitsItself(Plain):
    def train(self, dataset: dict, steps: int = 20) -> list[float]:
        return [0.0] * len(dataset["x"])


class PartFitsItself(nn.Module):
    """The same, of a part."""

    def __init__(self) -> None:
        super().__init__()
        self.part = FitsItself()

    def forward(self, x: Tensor) -> Tensor:
        return self.part(x)


class TrainOnly(Plain):
    """Answers otherwise in training: rows for pairs of images."""

    def forward(self, x: Tensor) -> Tensor:
        answer = super().forward(x)
        return answer.view(len(x) // 2, 20) if self.training else answer


# What is written in other ways, and right.


class FlatView(nn.Module):
    """Takes a convolution's output for what it is in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 6, 5, stride=2), nn.Linear(864, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.relu(self.conv(x)).view(-1, 864))


class MixedUpView(FlatView):
    """Reads memory by strides: another layout gives another answer, not an error."""

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.conv(x))
        return self.fc(y.as_strided((len(x), 864), (864, 1)))


class FiveDimensions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(1, 4, (1, 5, 5), stride=(1, 3, 3))
        self.fc = nn.Linear(256, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x.unsqueeze(2)).flatten(1))


class OldNorm(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.a = weight_norm(self.a)


class NewNorm(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.a = new_weight_norm(self.a)


class Pruned(Plain):
    def __init__(self) -> None:
        super().__init__()
        prune.random_unstructured(self.a, "weight", amount=0.5)


class Lock:
    def __deepcopy__(self, memo: object) -> None:
        raise TypeError("cannot pickle a lock")


class Uncopyable(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.lock = Lock()


class SilentSwitch(Plain):
    """Keeps its norm in eval mode, and forgets to return itself."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(16)

    def train(self, mode: bool = True) -> None:
        super().train(mode)
        self.norm.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.norm(self.hidden(x)))


class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.LazyLinear(16), nn.LazyLinear(10)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x.flatten(1))))


class FirstBatch(Plain):
    """Standardizes by its first batch, and says so in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(784))
        self.register_buffer("ready", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        if not self.ready.item():
            self.mean.copy_(x.mean(0))
            self.ready.fill_(1)
        return super().forward(x - self.mean)


class HeadFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.middle, self.first = nn.Linear(8, 10), nn.Linear(16, 8), nn.Linear(784, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.relu(self.middle(F.relu(self.first(x.flatten(1))))))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(784, 16), nn.Linear(16, 16), nn.Linear(16, 16)
        self.c.weight = self.b.weight
        self.d = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.d(self.c(F.relu(self.b(F.relu(self.a(x.flatten(1)))))))


# Builders.


def seeded() -> nn.Module:
    torch.manual_seed(42)
    return Plain()


def seeded_inside_everything() -> nn.Module:
    random.seed(1)
    np.random.seed(1)
    return seeded()


def silent() -> nn.Module:
    """All zeros: no seed makes a difference to it."""
    net = Plain()
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    return net


# Settings that a run's identity must hold.

HERE = Path(__file__).parent
CONFIG = {"width": 8}
SPACE = SimpleNamespace(width=8)


class FromDict(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(784, CONFIG["width"]), nn.Linear(CONFIG["width"], 10)


class FromNamespace(Plain):
    """Read in the forward pass alone."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * SPACE.width


class FromEnvironment(Plain):
    def __init__(self) -> None:
        super().__init__()
        width = int(os.environ.get("WIDTH_OF_A_TEST", "8"))
        self.a, self.b = nn.Linear(784, width), nn.Linear(width, 10)


class FromFile(Plain):
    """Of the file beside it a number that shapes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = json.loads((HERE / "net.json").read_text("utf-8"))["factor"]

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.factor
