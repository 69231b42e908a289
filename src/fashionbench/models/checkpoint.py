"""Trained weights on disk: a safetensors file, and beside it a JSON that says how to rebuild.

Neither holds code. A person's own model is rebuilt from its source, which must be where it was and
as it was; nothing else that a file may name is run.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as format_tensors
from torch import Tensor, nn

from fashionbench.config.study import Job
from fashionbench.config.validated import describe_refusal
from fashionbench.core.files import as_path, slug, write_atomically
from fashionbench.core.logits import are_alike, infer
from fashionbench.core.own_source import Source
from fashionbench.errors import StoreError
from fashionbench.models.adapter import Interface
from fashionbench.models.build import build_model
from fashionbench.models.facts import Answers, ModelFacts
from fashionbench.models.identity import is_unchanged

__all__ = [
    "answers_as_recorded",
    "checkpoint_path",
    "forget_answers",
    "load_facts",
    "load_model",
    "mark_unloadable",
    "rebuild_model",
    "save_model",
]

T = TypeVar("T")

ANSWERED = 8
"""Images whose answers are kept beside the weights."""
ROUNDING, ROUNDING_ELSEWHERE = 1e-3, 2e-2
"""How far an answer may be off, as a part of the largest logit: of a model trained on the CPU, and
on an accelerator, whose convolutions round to 10 bits."""


def checkpoint_path(folder: Path, job: Job, device: str = "cpu") -> Path:
    """Return the path of the weights of a job's run on a device in its run folder."""
    dataset = Path(job.dataset).name if job.dataset_source else job.dataset
    name = slug(f"{job.model}-{job.recipe.label}-{dataset}")
    where = "" if device == "cpu" else f"-{device}"
    return folder / "checkpoints" / f"{name}-seed{job.seed}-{job.key[:6]}{where}.safetensors"


def save_model(
    model: nn.Module, path: Path, facts: ModelFacts, images: Tensor | None = None
) -> None:
    """Write the weights and, beside them, `facts` about the model and how to rebuild it.

    What it answers to a few of the uint8 `images` is written too, so that whoever
    rebuilds it can tell whether that is the whole model.
    """
    weights = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    found = {
        "interface": Interface.of(model),
        "answers": None if images is None else _answers(model, images[:ANSWERED]),
    }
    _write_facts(path, facts.model_copy(update=found))
    # Copies, since layers may share weights, which a file of safetensors cannot say.
    apart = {
        name: tensor.clone(memory_format=torch.contiguous_format)
        for name, tensor in weights.items()
    }
    write_atomically(path, format_tensors(apart))


def _answers(model: nn.Module, images: Tensor) -> Answers | None:
    """Ask a model; None for one whose training diverged."""
    logits, on_cpu = infer(model, images), next(model.parameters()).device.type == "cpu"
    if not np.isfinite(logits).all():
        return None
    return Answers.pack(images, logits, ROUNDING if on_cpu else ROUNDING_ELSEWHERE)


def mark_unloadable(path: Path, reason: str) -> None:
    """Write beside a trained model why it cannot be loaded again."""
    _write_facts(path, load_facts(path).model_copy(update={"unloadable": reason}))


def forget_answers(path: Path) -> None:
    """Have a trained model that turned out to answer at random be asked for no answers again."""
    _write_facts(path, load_facts(path).model_copy(update={"answers": None}))


def _write_facts(path: Path, facts: ModelFacts) -> None:
    write_atomically(_side_file(path), facts.model_dump_json(indent=2).encode())


def load_facts(path: Path | str) -> ModelFacts:
    """Read what stands beside a .safetensors file: the job, label, classes, temperature and more.

    Raises StoreError if the side file is absent or damaged.
    """
    path = Path(path)
    return _read_pair(
        path, lambda: ModelFacts.model_validate(json.loads(_side_file(path).read_bytes()))
    )


def load_model(path: Path | str) -> nn.Module:
    """Rebuild a trained model from its .safetensors file, in eval mode on the CPU.

    Raises StoreError if a file is absent or damaged, the model's source has changed, or what is
    rebuilt answers otherwise than the trained model did; UsageError if the source is absent or no
    model.

    Examples:
        >>> from pathlib import Path
        >>> path = next(Path("runs").rglob("*.safetensors"))
        >>> model = fb.load_model(path)
    """
    path = as_path("path", path)
    if path.is_dir():
        raise StoreError(
            f"{path} is a folder, which may hold many models; take one by "
            f"fb.load_result({str(path)!r}).load_model(NAME, seed=0), or the best one for your "
            f"pictures by fb.load_predictor({str(path)!r})."
        )
    facts = load_facts(path)
    if facts.unloadable:
        raise StoreError(f"{path} cannot be loaded again, since {facts.unloadable}")
    job = facts.job
    source = replace(Source.parse(job.model_source), weights="")
    if not is_unchanged(job.spec.without_weights(), source, _count_classes(facts), job.shape):
        raise StoreError(
            f"The source of {job.model}, or what it reads, has changed since {path} was written; "
            "train again."
        )
    model = rebuild_model(path, facts)
    if not answers_as_recorded(model, facts):
        raise StoreError(
            f"{path} cannot be loaded: the model that is rebuilt from it answers otherwise than "
            "the one that was trained. It depends on something that the file does not hold, or "
            f"that torch {torch.__version__} computes in another way; load it where it was "
            "trained, or train again with all that it needs in parameters and buffers."
        )
    return model


def rebuild_model(path: Path, facts: ModelFacts) -> nn.Module:
    """Build the model of a checkpoint, from the run's own seed, and give it the file's weights.

    `facts` are what stands beside the file. It is for a file that was written just now: neither
    the source nor the model's answers are compared with those of the run. Raises StoreError for
    weights that do not fit.
    """
    weights = _read_pair(path, lambda: parse_tensors(path.read_bytes()))
    job, classes = facts.job, _count_classes(facts)
    spec = job.spec.without_weights()  # a file that it began with is no longer needed
    model = build_model(
        str(spec), job.run_seed, classes, shape=job.shape, interface=facts.interface
    )
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise StoreError(f"The weights in {path} do not fit {job.model}: {reason}") from None
    model.eval()
    return model


def _count_classes(facts: ModelFacts) -> int:
    return len(facts.classes) or 10  # the oldest files, all of Fashion-MNIST, do not say


def answers_as_recorded(model: nn.Module, facts: ModelFacts) -> bool:
    """Tell whether a model answers as its file says; true where the file says nothing."""
    recorded = facts.answers
    if recorded is None:
        return True
    answers = infer(model, recorded.unpack_images())
    return are_alike(answers, np.array(recorded.logits), recorded.tolerance)


def _side_file(path: Path) -> Path:
    return path.with_suffix(".json")


def _read_pair(path: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    except OSError as error:
        if not path.exists():
            raise StoreError(
                f"There is no {path}; give a run folder, a model's .safetensors file, or "
                "NAME:weights=FILE for weights that you trained elsewhere."
            ) from None
        if path.is_file() and not _side_file(path).exists():
            raise StoreError(
                f"{path} has no {_side_file(path).name} beside it to say which model it is; if it "
                f"is a file of weights, say it yourself, such as v2:weights={path}."
            ) from None
        raise StoreError(
            f"{error.filename} cannot be read ({error.strerror}); a model is two files, "
            f"{path.name} and {_side_file(path).name}, in one folder."
        ) from None
    except ValidationError as error:
        raise StoreError(
            f"{_side_file(path)} is damaged ({describe_refusal(error, ModelFacts).rstrip('.')}); "
            "train again."
        ) from None
    except (ValueError, SafetensorError) as error:
        raise StoreError(
            f"{path} or {_side_file(path).name} is damaged ({error}); train again."
        ) from None
