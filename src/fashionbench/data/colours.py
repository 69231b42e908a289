"""The colours of a picture -> sRGB, which is what everything after it expects.

Phones take photos in Display P3 and say so: by an ICC profile, or in HEIC by the numbers of
ITU-T H.273 for primaries and curve. HDR photos without a profile follow the curves of BT.2100.
"""

import io
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageCms import ImageCmsTransform

__all__ = ["to_srgb"]

Light = NDArray[np.float32]
"""Shares of white, linear."""

TO_SRGB: Mapping[int, Any] = {
    9: ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)),
    12: ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979)),
}
"""Linear RGB to that of sRGB by H.273's number of the primaries: BT.2020 and Display P3."""
WHITE, BRIGHTEST = 203, 1000
"""Candelas per square metre: white paper in an HDR picture, and HLG's peak (BT.2408)."""


def to_srgb(picture: "Image", info: Mapping[str | tuple[int, int], Any]) -> "Image":
    """Give an RGB picture in sRGB; `info` is what its file told. Unknown colours count as sRGB."""
    if profile := info.get("icc_profile"):
        return _follow_profile(picture, profile)
    told = info.get("nclx_profile") or {}
    primaries, transfer = told.get("color_primaries"), told.get("transfer_characteristics")
    if primaries not in TO_SRGB and transfer not in CURVES:
        return picture
    return _follow_numbers(picture, primaries, transfer)


def _follow_profile(picture: "Image", profile: bytes) -> "Image":
    from PIL import ImageCms

    try:
        transform = _build_transform(profile)
        return picture if transform is None else transform.apply(picture)
    except (ImageCms.PyCMSError, ImportError, OSError, ValueError):
        return picture  # damaged, or of other channels: those of CMYK


@lru_cache(maxsize=8)
def _build_transform(profile: bytes) -> "ImageCmsTransform | None":
    """Return the way from a profile to sRGB; None from sRGB itself."""
    from PIL import ImageCms

    read = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if "sRGB" in ImageCms.getProfileDescription(read):
        return None
    return ImageCms.buildTransform(read, ImageCms.createProfile("sRGB"), "RGB", "RGB")


def _follow_numbers(picture: "Image", primaries: int | None, transfer: int | None) -> "Image":
    from PIL import Image

    levels = np.linspace(0, 1, 256, dtype=np.float32)
    light = CURVES.get(transfer or 0, _from_srgb)(levels)[np.asarray(picture)]
    if primaries is not None and primaries in TO_SRGB:
        light = light @ np.array(TO_SRGB[primaries], np.float32).T
    light = light.clip(0, 1)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return Image.fromarray(np.rint(255 * encoded).astype(np.uint8))


def _from_srgb(values: Light) -> Light:
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


def _from_pq(values: Light) -> Light:
    """Apply the curve of perceptual quantization (SMPTE ST 2084)."""
    root = values ** (32 / 2523)
    light = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
    return np.asarray(light ** (8192 / 1305) * (10_000 / WHITE), np.float32)


def _from_hlg(values: Light) -> Light:
    """Apply the curve of hybrid log-gamma, and the gamma of a screen (BT.2100)."""
    high = (np.exp((values - 0.55991073) / 0.17883277) + 0.28466892) / 12
    scene = np.where(values <= 0.5, values**2 / 3, high)
    return np.asarray(scene**1.2 * (BRIGHTEST / WHITE), np.float32)


CURVES: Mapping[int, Callable[[Light], Light]] = {16: _from_pq, 18: _from_hlg}
"""By H.273's number of the curve."""
