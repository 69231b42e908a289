"""Trained weights on disk: a safetensors file, and beside it a JSON that says how to rebuild.

Neither holds code. A person's own model is rebuilt from its source, which must be where it was and
as it was; nothing else that a file may name is run.
"""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as format_tensors
from torch import nn

from fashionbench.config import Job
from fashionbench.errors import StoreError
from fashionbench.models import build_model, is_unchanged, without_weights
from fashionbench.records import write_atomically

__all__ = ["checkpoint_path", "load_facts", "load_model", "save_model", "slug"]

T = TypeVar("T")

LONGEST_NAME = 170
"""Characters; file systems allow 255, and seed, key, suffix and a temporary name come on top."""


def checkpoint_path(folder: Path, job: Job, device: str = "cpu") -> Path:
    """Where the weights of a job's run on a device lie in its run folder."""
    dataset = Path(job.dataset).name if job.dataset_source else job.dataset
    name = slug(f"{job.model}-{job.recipe.name}-{dataset}")
    where = "" if device == "cpu" else f"-{device}"
    return folder / "checkpoints" / f"{name}-seed{job.seed}-{job.key[:6]}{where}.safetensors"


def slug(text: str) -> str:
    """`text` as part of a file's name, on every system; if long, a digest stands for its end."""
    name = re.sub(r"[^A-Za-z0-9.=-]+", "-", text)
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:LONGEST_NAME]}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def save_model(model: nn.Module, path: Path, job: Job, facts: dict[str, Any]) -> None:
    """Write the weights and, beside them, how to rebuild the model and `facts` about it."""
    weights = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    about = {"job": job.model_dump(), **facts}
    write_atomically(path.with_suffix(".json"), json.dumps(about, indent=2).encode())
    # Copies, since layers may share weights, which a file of safetensors cannot say.
    apart = {
        name: tensor.clone(memory_format=torch.contiguous_format)
        for name, tensor in weights.items()
    }
    write_atomically(path, format_tensors(apart))


def load_facts(path: Path | str) -> dict[str, Any]:
    """What stands beside a .safetensors file: the job, label, classes, temperature and more.

    Raises StoreError if the side file is absent or damaged.
    """
    path = Path(path)
    facts: dict[str, Any] = _read_pair(path, lambda: json.loads(_side_file(path).read_bytes()))
    return facts


def load_model(path: Path | str) -> nn.Module:
    """Rebuild a trained model from its .safetensors file, in eval mode on the CPU.

    Raises StoreError if a file is absent or damaged, or the model's source has changed,
    UsageError if that is absent or no model.
    """
    path = Path(path)
    facts = load_facts(path)
    job, classes = _read_pair(
        path, lambda: (Job.model_validate(facts["job"]), len(facts.get("classes", range(10))))
    )
    weights = _read_pair(path, lambda: parse_tensors(path.read_bytes()))
    name = without_weights(job.model)  # a file that it began with is no longer needed
    if not is_unchanged(name, job.model_source.partition("+")[0]):
        raise StoreError(
            f"The source of {job.model} has changed since {path} was written; train again."
        )
    model = build_model(name, classes=classes)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise StoreError(f"The weights in {path} do not fit {job.model}: {error}") from None
    return model.eval()


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
