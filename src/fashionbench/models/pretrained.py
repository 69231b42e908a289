"""Backbones with published weights: `timm/NAME` and `torchvision/NAME`.

Each is shown pictures of its own size, with the mean and deviation it was trained on.
"""

import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashionbench.errors import DataError, MissingPackage, UsageError
from fashionbench.models.adapter import Wrapper
from fashionbench.models.weights import copy_matching

__all__ = ["Backbone", "build_timm", "build_torchvision"]


class Backbone(Wrapper):
    """A net that is given pictures enlarged and normalized, grey ones repeated for its colours."""

    mean: Tensor
    sd: Tensor

    def __init__(
        self, net: nn.Module, side: int, mean: tuple[float, ...], sd: tuple[float, ...]
    ) -> None:
        super().__init__(net, side)
        # Of each channel of the net: one for grey, three for colours.
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("sd", torch.tensor(sd).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Compute (B, K) logits of (B, C, H, W) pixels."""
        if images.shape[-1] != self.side:
            size = (self.side, self.side)
            images = F.interpolate(images, size=size, mode="bilinear", antialias=True)
        logits: Tensor = self.net((images - self.mean) / self.sd)
        return logits

    def extra_repr(self) -> str:
        return f"side={self.side}"


def build_timm(
    name: str, pretrained: bool = True, num_classes: int = 10, in_chans: int = 1
) -> nn.Module:
    """Build a timm model; for grey pictures mean and deviation are averaged over colours.

    Raises UsageError for a name timm does not know or where timm is absent, DataError where
    weights are neither on the disk nor to be had.
    """
    try:
        import timm
    except ImportError:
        raise MissingPackage(f"timm/{name}", "timm", extra="pretrained") from None
    if not timm.is_model(name):
        raise _refuse_name("timm", name, timm.list_models())
    try:
        net = timm.create_model(
            name, pretrained=pretrained, in_chans=in_chans, num_classes=num_classes
        )
    except (OSError, RuntimeError) as error:  # how huggingface_hub and timm say so
        home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
        source = timm.get_pretrained_cfg(name)
        repository = getattr(source, "hf_hub_id", None) or f"timm/{name}"
        folder = home / "hub" / f"models--{repository.replace('/', '--')}"
        raise DataError(
            f"The weights of timm/{name} are not on this machine and cannot be fetched "
            f"({_first_line(error)}): model.safetensors is looked for in {folder} (HF_HOME sets "
            f"the place); where there is a network, run `hf download {repository}` and bring that "
            f"folder, or give timm/{name}:pretrained=False."
        ) from None
    published: dict[str, Any] = net.pretrained_cfg  # type: ignore[assignment]
    mean, sd = (tuple(published[key]) for key in ("mean", "std"))
    if in_chans == 1:
        mean, sd = ((sum(each) / len(each),) for each in (mean, sd))
    return Backbone(net, int(published["input_size"][-1]), mean, sd)


def build_torchvision(name: str, pretrained: bool = True, num_classes: int = 10) -> nn.Module:
    """Build a model of torchvision.models; the grey channel is repeated, which is exact.

    Raises UsageError for a name torchvision does not know, DataError where weights are neither
    on the disk nor to be had.
    """
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise _refuse_name("torchvision", name, known)
    weights = models.get_model_weights(name).DEFAULT
    # These two have outputs beside their logits, and weights made for colours of another scale.
    special = name in ("googlenet", "inception_v3")
    arguments = (
        {"init_weights": True, "aux_logits": False, "transform_input": True} if special else {}
    )
    net = models.get_model(name, weights=None, num_classes=num_classes, **arguments)
    if pretrained:
        file = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
        try:
            state = weights.get_state_dict(progress=False, check_hash=True)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"The weights of torchvision/{name} are not on this machine and cannot be fetched "
                f"({_first_line(error)}): {file.name} is looked for in {file.parent} (TORCH_HOME "
                f"sets the place); bring it there, or give torchvision/{name}:pretrained=False."
            ) from None
        copy_matching(net, state)
    shown = weights.transforms()
    return Backbone(net, int(shown.crop_size[0]), tuple(shown.mean), tuple(shown.std))


def _refuse_name(package: str, name: str, known: Sequence[str]) -> UsageError:
    near = get_close_matches(name, known, n=5) or known[:5]
    return UsageError(
        f"{package} has no model {name!r}; it has {len(known):,}, such as {', '.join(near)}."
    )


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
