"""Trained weights on disk: a safetensors file, and beside it a JSON that says how to rebuild.

Neither holds code. A person's own model is rebuilt from its source, which must be where it was and
as it was; nothing else that a file may name is run.
"""

import base64
import json
import zlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as format_tensors
from torch import Tensor, nn

from fashionbench.config.study import Job
from fashionbench.core.files import slug, write_atomically
from fashionbench.core.logits import are_alike, infer
from fashionbench.core.own_source import Source
from fashionbench.errors import StoreError
from fashionbench.models.adapter import Interface
from fashionbench.models.build import build_model
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
    """Where the weights of a job's run on a device lie in its run folder."""
    dataset = Path(job.dataset).name if job.dataset_source else job.dataset
    name = slug(f"{job.model}-{job.recipe.label}-{dataset}")
    where = "" if device == "cpu" else f"-{device}"
    return folder / "checkpoints" / f"{name}-seed{job.seed}-{job.key[:6]}{where}.safetensors"


def save_model(
    model: nn.Module,
    path: Path,
    job: Job,
    facts: dict[str, Any],
    images: Tensor | None = None,
) -> None:
    """Write the weights and, beside them, how to rebuild the model and `facts` about it.

    What it answers to a few of the (N, 28, 28) uint8 `images` is written too, so that whoever
    rebuilds it can tell whether that is the whole model.
    """
    weights = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    about = {
        "job": job.model_dump(),
        "interface": asdict(Interface.of(model)),
        "answers": None if images is None else _answers(model, images[:ANSWERED]),
        **facts,
    }
    write_atomically(path.with_suffix(".json"), json.dumps(about, indent=2).encode())
    # Copies, since layers may share weights, which a file of safetensors cannot say.
    apart = {
        name: tensor.clone(memory_format=torch.contiguous_format)
        for name, tensor in weights.items()
    }
    write_atomically(path, format_tensors(apart))


def _answers(model: nn.Module, images: Tensor) -> dict[str, Any] | None:
    """Images and logits as JSON has them; None for a model whose training diverged."""
    logits, on_cpu = infer(model, images), next(model.parameters()).device.type == "cpu"
    if not np.isfinite(logits).all():
        return None
    return {
        "images": base64.b64encode(zlib.compress(images.cpu().numpy().tobytes())).decode(),
        "logits": logits.tolist(),
        "tolerance": ROUNDING if on_cpu else ROUNDING_ELSEWHERE,
    }


def mark_unloadable(path: Path, reason: str) -> None:
    """Write beside a trained model why it cannot be loaded again."""
    _write_beside(path, {"unloadable": reason})


def forget_answers(path: Path) -> None:
    """Have a trained model that turned out to answer at random be asked for no answers again."""
    _write_beside(path, {"answers": None})


def _write_beside(path: Path, facts: dict[str, Any]) -> None:
    about = json.dumps(load_facts(path) | facts, indent=2)
    write_atomically(_side_file(path), about.encode())


def load_facts(path: Path | str) -> dict[str, Any]:
    """What stands beside a .safetensors file: the job, label, classes, temperature and more.

    Raises StoreError if the side file is absent or damaged.
    """
    path = Path(path)
    facts: dict[str, Any] = _read_pair(path, lambda: json.loads(_side_file(path).read_bytes()))
    return facts


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
    path = Path(path)
    facts = load_facts(path)
    if reason := facts.get("unloadable"):
        raise StoreError(f"{path} cannot be loaded again, since {reason}")
    job, _, classes = _read_pair(path, lambda: _how_to_build(facts))
    source = replace(Source.parse(job.model_source), weights="")
    if not is_unchanged(job.spec.without_weights(), source, classes):
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


def rebuild_model(path: Path, facts: dict[str, Any]) -> nn.Module:
    """Build the model of a checkpoint, from the run's own seed, and give it the file's weights.

    `facts` are what stands beside the file.
    For a file that was written just now: whether the source is still the same is not looked at,
    nor what the model answers. Raises StoreError for weights that do not fit.
    """
    job, interface, classes = _read_pair(path, lambda: _how_to_build(facts))
    weights = _read_pair(path, lambda: parse_tensors(path.read_bytes()))
    spec = job.spec.without_weights()  # a file that it began with is no longer needed
    model = build_model(str(spec), job.seed, classes, interface=interface)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise StoreError(f"The weights in {path} do not fit {job.model}: {reason}") from None
    model.eval()
    return model


def _how_to_build(facts: dict[str, Any]) -> tuple[Job, Interface | None, int]:
    """Job, interface and number of classes; files of before do not say the interface."""
    interface = facts.get("interface")
    return (
        Job.model_validate(facts["job"]),
        None if interface is None else Interface(**interface),
        len(facts.get("classes", range(10))),
    )


def answers_as_recorded(model: nn.Module, facts: dict[str, Any]) -> bool:
    """Tell whether a model answers as its file says; true where the file says nothing."""
    recorded = facts.get("answers")
    if not recorded:
        return True
    expected = np.array(recorded["logits"])
    content = zlib.decompress(base64.b64decode(recorded["images"]))
    images = np.frombuffer(content, np.uint8).reshape(len(expected), 28, 28)
    return are_alike(infer(model, torch.tensor(images)), expected, recorded["tolerance"])


def _side_file(path: Path) -> Path:
    return path.with_suffix(".json")


def _read_pair(path: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    except OSError as error:
        if not path.exists():
            raise StoreError(
                f"There is no {path}; give a run folder, or a model's .safetensors file."
            ) from None
        raise StoreError(
            f"{error.filename} cannot be read ({error.strerror}); a model is two files, "
            f"{path.name} and {_side_file(path).name}, in one folder."
        ) from None
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise StoreError(
            f"{path} or {_side_file(path).name} is damaged ({error}); train again."
        ) from None
