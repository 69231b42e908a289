"""The checks that a custom model has to pass before it is trained, and once more afterwards.

The built-in models keep a comparison's promises by construction. A custom model is tried on real
images, in copies that are thrown away: can it be trained, does a seed fix it, does it classify an
image by that image alone? What cannot be right is refused in terms of the person's own code; what
may be intended becomes a remark, which is shown wherever the model's scores are.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashionbench.config.recipe import own_parts
from fashionbench.config.study import Job
from fashionbench.core.global_state import silent
from fashionbench.core.logits import are_alike, pixels
from fashionbench.core.own_code import describe_error, digest_file
from fashionbench.core.own_source import Source
from fashionbench.core.seeds import Seed
from fashionbench.core.shape import Shape
from fashionbench.core.snapshot import hidden_layers, shared_state
from fashionbench.data.split import Dataset
from fashionbench.errors import FashionbenchError, UsageError
from fashionbench.models.adapter import Interface
from fashionbench.models.build import build_model
from fashionbench.models.cost import flops_per_image
from fashionbench.models.identity import identify
from fashionbench.models.table import model_entry
from fashionbench.training.devices import reproducible, seed_generators
from fashionbench.training.own_parts import identify_parts

__all__ = [
    "Examination",
    "Remarks",
    "builder",
    "examine",
    "examine_trained",
    "refuse_changed",
]

logger = logging.getLogger(__name__)

IMAGES = 8
ALONE = 3
"""Of those, how many are shown alone too."""
ROUNDING = 1e-3
"""Of the largest logit: by how much an answer may change where sums are reordered."""

A_LITTLE, ALIKE = 0.1, 1e-6
"""The rate of a step on trial, and the part of the largest logit below which answers are alike."""

SAME = 1e-5
"""Of a step as a whole: by how much it may change where the same is computed again."""

ENDS = {"SoftmaxBackward0": "softmax", "SigmoidBackward0": "sigmoid", "TanhBackward0": "tanh"}

REMARKS = {
    "only scored": "its weights were trained elsewhere and are only scored here, once, so nothing "
    "is known of other seeds; only you know how they were chosen, and on which images.",
    "several answers": "it returns several tensors; the one called logits, or else the first, is "
    "used for the loss and the scores, and the others train nothing.",
    "other pictures": "it was written for other pictures, so those of the data set are {} for it; "
    "if it takes an argument `channels` or `side`, it is given what they have.",
    "untrained": "{} holds weights where torch overlooks them, so they are not trained; use "
    "nn.ModuleList, nn.ModuleDict, nn.ParameterList or nn.Parameter.",
    "late": "it makes {} while it answers, which is too late for training and for loading; make it "
    "in __init__, as nn.LazyLinear does for a size that is not known yet.",
    "drawn anew": "the same seed gives different first weights, since it draws numbers that no "
    "seed of this program fixes; draw them with torch, numpy.random or random, and set no seed.",
    "trained anew": "two trainings from the same seed differ, since its forward method draws "
    "numbers that no seed of this program fixes; draw them with torch, numpy.random or random.",
    "squeezed": "it ends in a {0}, but the loss applies a softmax itself, so that it learns "
    "little; return the values before the {0}.",
    "log-softmax": "it ends in a log-softmax, which the loss applies too; a second one changes "
    "nothing, so its scores are right, but other losses and programs expect the values before it.",
    "in eval mode": "{} stays in eval mode in training, so dropout drops nothing and batch norms "
    "learn no statistics; look for eval() in the net, or a train() that does not call torch's.",
    "frozen": "{} of its {} parameters are frozen (requires_grad is False), in {}; they keep their "
    "first values. If that is not meant, leave requires_grad as torch makes it.",
    "blind": "it gives all images the same answer, even after a step of training, so nothing of "
    "them comes through; look for a dead ReLU, weights that are all zero, or an unused input.",
    "shared": "its forward method changes {}, which all networks of its kind in a process share, "
    "so that a run depends on those before it; keep it in self, as a buffer.",
    "random": "the same image gets a different answer at each call, since something in it draws at "
    "random or keeps what it saw, in scoring too; F.dropout does, without training=self.training.",
    "batch": "its answer for an image depends on the batch {}; look for a softmax, a mean or a "
    "norm over dimension 0, batch statistics in scoring, an LSTM without batch_first, squeeze().",
}
"""What is remarked on, by kind; a model's own details come into the braces."""

Remarks = dict[str, str]
"""What a reader must know of a model, by kind; a sentence each, which calls the model `it`."""


@dataclass(frozen=True)
class Examination:
    """What is known of a model before it is trained."""

    flops: int | None = None
    """Of a forward pass over one image; None where they cannot be counted."""
    remarks: Remarks = field(default_factory=dict)
    weights: str = ""
    """What of a file of weights fitted; empty where it begins with none."""

    def sentences(self, label: str) -> list[str]:
        """List what to say of the model with this label before it is trained."""
        said = [f"{label}: {remark}" for remark in self.remarks.values()]
        return [self.weights, *said] if self.weights else said


def builder(job: Job, dataset: Dataset) -> Callable[[Seed], nn.Module]:
    """Return the function that builds a job's model from a seed, to fit the data set's classes."""
    classes, images = len(dataset.classes), dataset.train.images
    return partial(_build, job, classes, images)


def _build(
    job: Job,
    classes: int,
    images: Tensor,
    seed: int,
    tell: Callable[[str], object] = logger.debug,
) -> nn.Module:
    whole = job.is_only_scored
    return build_model(job.model, seed, classes, tell=tell, images=images, whole=whole)


def refuse_changed(job: Job, classes: int) -> None:
    """Refuse a job whose model or augmentation has changed since the job was planned.

    A record names the sources that its run was made with, so other sources may not be trained
    under that name. Called before a model is built, which may change what it reads. Raises
    UsageError.
    """
    _refuse_edited(job)
    if str(identify(job.spec, classes, job.shape)[1]) != job.model_source:
        _refuse_source(job.model)
    if identify_parts(job.recipe) != job.recipe_source:
        _refuse_source("the recipe's own parts")


def _refuse_edited(job: Job) -> None:
    """Refuse a job with an edited file before any of the code in it is run."""
    parts = own_parts(job.recipe)
    sources = zip(parts, job.recipe_source.split("+"), strict=False)
    for reference, source in ((model_entry(job.spec).reference, job.model_source), *sources):
        file = reference.rpartition(":")[0]
        if file.endswith(".py") and digest_file(file) != Source.parse(source).text:
            _refuse_source(reference if reference in parts else job.model)


def _refuse_source(name: str) -> NoReturn:
    raise UsageError(
        f"The source of {name}, or what it reads, has changed since the comparison began; "
        "finished runs are kept. Give the command again to train with the new one. If "
        "nothing was edited, it is another each time that its file is run: let a seed fix "
        "what it draws there."
    )


def examine(job: Job, dataset: Dataset) -> Examination:
    """Find out what a reader must know of a job's model before it is trained.

    Raises UsageError if it cannot be trained, or if its file was edited since the job was planned:
    then no code in the file is run.
    """
    _refuse_edited(job)
    classes, weights = len(dataset.classes), list[str]()
    build = partial(_build, job, classes, dataset.train.images, job.seed)
    known = dict([_make_remark("only scored")]) if job.is_only_scored else {}
    with silent():
        model = build(weights.append)
        fitted = "".join(weights)
        if not model_entry(job.spec).is_own:
            return Examination(flops_per_image(model), known, fitted)
        _check_parameters(model, job.model)
        images = pixels(dataset.train.images[: 2 * IMAGES]).cpu()
        labels = dataset.train.labels[:IMAGES].cpu()
        _check_state(model, job.model)
        with reproducible(torch.device("cpu")):
            remarks = dict(_find_remarks(model, build(), job.model, images, labels))
        return Examination(flops_per_image(model), known | remarks, fitted)


def _check_parameters(model: nn.Module, name: str) -> None:
    parameters = list(model.parameters())
    if not parameters:
        hidden = ", ".join(hidden_layers(model))
        raise UsageError(
            f"{name} has no parameters, so there is nothing to train"
            + (f": {hidden} holds its layers where torch overlooks them; " if hidden else "; ")
            + "put layers into attributes of their own, nn.ModuleList or nn.ModuleDict."
        )
    if not any(parameter.requires_grad for parameter in parameters):
        raise UsageError(
            f"All layers of {name} are frozen (requires_grad is False), so there is nothing to "
            "train; leave at least its last layer as torch makes it."
        )


def _check_state(model: nn.Module, name: str) -> None:
    """Refuse what a file of weights cannot hold."""
    more = [key for key, value in model.state_dict().items() if not isinstance(value, Tensor)]
    if more:
        raise UsageError(
            f"The state_dict of {name} has more than tensors ({', '.join(more[:3])}), which its "
            "file could not hold; use self.register_buffer for what get_extra_state returns."
        )


def _find_remarks(
    model: nn.Module, other: nn.Module, name: str, images: Tensor, labels: Tensor
) -> Iterator[tuple[str, str]]:
    """Check two models built from one seed; both are changed by it."""
    interface = Interface.of(model)
    if interface.answers_several:
        yield _make_remark("several answers")
    if lost := _find_loss(interface, Shape.of(images)):
        yield _make_remark("other pictures", lost)
    if hidden := hidden_layers(model):
        yield _make_remark("untrained", ", ".join(hidden))
    yield from _check_switches(model)
    yield from _check_seed(model, other, name, images[:IMAGES], labels)
    other.eval()
    yield from _check_end(other(images[:IMAGES].clone()))
    if _is_blind(model, images[:IMAGES]):
        yield _make_remark("blind")
    with torch.no_grad():
        yield from _check_independence(other, images)


def _find_loss(interface: Interface, shape: Shape) -> str:
    """Say what of the data set's images a network is not shown; empty where it is shown all."""
    grey = interface.channels == 1 < shape.channels
    smaller = interface.side < shape.side
    size = f"reduced to {interface.side}x{interface.side}" if smaller else ""
    return " and ".join(filter(None, ["turned grey" if grey else "", size]))


def _check_switches(model: nn.Module) -> Iterator[tuple[str, str]]:
    """Find parts that training leaves out: frozen parameters, modules that stay in eval mode."""
    model.train()
    still = [name or "it" for name, part in model.named_modules() if not part.training]
    if still:
        yield _make_remark("in eval mode", _list_some(still))
    frozen = {name: p for name, p in model.named_parameters() if not p.requires_grad}
    if frozen:
        counts = [sum(p.numel() for p in each) for each in (frozen.values(), model.parameters())]
        yield _make_remark("frozen", *(f"{count:,}" for count in counts), _list_some([*frozen]))


def _list_some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"


def _check_seed(
    model: nn.Module, other: nn.Module, name: str, images: Tensor, labels: Tensor
) -> Iterator[tuple[str, str]]:
    """Compare two models from one seed, and a step of each."""
    tensors = zip(model.state_dict().values(), other.state_dict().values(), strict=False)
    alike = all(one.shape == two.shape and torch.equal(one, two) for one, two in tensors)
    known, shared = {key for key, _ in model.named_parameters()}, shared_state(model)
    steps = [_take_step(each, name, images, labels) for each in (model, other)]
    late = [key for key, _ in model.named_parameters() if key not in known]
    after = shared_state(model)
    changed = [name for name in after if after[name] != shared.get(name)]
    if not alike:
        yield _make_remark("drawn anew")
    elif changed:
        yield _make_remark("shared", ", ".join(changed[:3]))
    elif late:
        yield _make_remark("late", ", ".join(late[:3]))
    elif not _are_same(*steps):
        yield _make_remark("trained anew")


def _take_step(model: nn.Module, name: str, images: Tensor, labels: Tensor) -> list[Tensor]:
    """Return the loss of a training step and its gradients; UsageError if there are none."""
    seed_generators(torch.device("cpu"), 0)
    try:
        model.train()
        logits = model(images.clone())  # it may change them
        if logits.ndim != 2 or len(logits) != len(labels):
            raise UsageError(
                f"{name} answers {tuple(images.shape)} images with {tuple(logits.shape)} in "
                "training; it must be a row of logits for each image, as in scoring."
            )
        if not logits.requires_grad:
            raise UsageError(
                f"The answers of {name} carry no gradient to its parameters; look for "
                "torch.no_grad, detach, argmax or a conversion to NumPy in its forward method."
            )
        loss = F.cross_entropy(logits.float(), labels)
        loss.backward()
    except FashionbenchError:
        raise
    except Exception as error:  # whatever a person's own code may raise
        raise UsageError(f"{name} cannot be trained: {describe_error(error)}") from None
    return [loss.detach(), *(p.grad for p in model.parameters() if p.grad is not None)]


@torch.no_grad()
def _is_blind(model: nn.Module, images: Tensor) -> bool:
    """Tell whether a model answers all images alike once it has followed its gradients a little.

    Before that, one whose last layer begins with zeros does so too.
    """
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.sub_(parameter.grad, alpha=A_LITTLE)
    model.eval()
    logits = model(images.clone())
    return bool((logits - logits[:1]).abs().max() <= ALIKE * logits.abs().max())


def _check_end(logits: Tensor) -> Iterator[tuple[str, str]]:
    """Find a function at the end that squeezes logits into probabilities or the like."""
    end = ENDS.get(type(logits.grad_fn).__name__)
    sums = logits.detach().sum(dim=1)
    if end is None and bool((logits >= 0).all()) and _are_alike(sums, torch.ones_like(sums)):
        end = "softmax"
    if end is not None:
        yield _make_remark("squeezed", end)
    elif _are_alike(logits.detach().exp().sum(dim=1), torch.ones_like(sums)):
        yield _make_remark("log-softmax")


def examine_trained(model: nn.Module, images: Tensor) -> Remarks:
    """Find out what a reader must know of a trained model, from uint8 `images`."""
    device = next(model.parameters()).device
    model.eval()
    with reproducible(device), torch.no_grad():
        return dict(_check_independence(model, pixels(images[: 2 * IMAGES].to(device))))


def _check_independence(model: nn.Module, images: Tensor) -> Iterator[tuple[str, str]]:
    """Show (B, C, H, W) images in a batch, one by one, and some of them beside others.

    The model is in eval mode, and gets copies, since it may change what it is given.
    """
    half = len(images) // 2
    answer = model(images[:half].clone())
    if not _are_alike(answer, model(images[:half].clone())):
        yield _make_remark("random")
        return
    alone = _answer_one_by_one(model, images[:ALONE])
    if alone is None:
        yield _make_remark("batch", "which must be more than one")
        return
    mixed = model(torch.cat([images[:ALONE], images[half:]]))[:ALONE]
    if not (_are_alike(answer[:ALONE], alone) and _are_alike(answer[:ALONE], mixed)):
        yield _make_remark("batch", "of which it is one")


def _answer_one_by_one(model: nn.Module, images: Tensor) -> Tensor | None:
    """Return (B, K) logits of (B, C, H, W) images shown one by one; None where that fails."""
    try:
        answers = torch.cat([model(image.unsqueeze(0).clone()) for image in images])
    except Exception:  # whatever a person's own code may raise
        return None
    return answers if answers.ndim == 2 else None


def _are_alike(one: Tensor, other: Tensor) -> bool:
    """Tell whether two tensors are equal up to rounding; NaN counts as equal to NaN."""
    return torch.equal(one, other) or are_alike(other, one, ROUNDING)


def _are_same(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    """Tell whether two steps agree in most digits, all their gradients taken together.

    Single gradients may be so small that `_are_alike` cannot tell them apart.
    """
    if [tensor.shape for tensor in one] != [tensor.shape for tensor in other]:
        return False
    first, second = (
        torch.cat([t.double().flatten().nan_to_num() for t in step]) for step in (one, other)
    )
    change = (first - second).norm()
    return torch.equal(first, second) or bool(change <= SAME * first.norm())


def _make_remark(kind: str, *details: str) -> tuple[str, str]:
    return kind, REMARKS[kind].format(*details)
