"""One way of reading pictures for all that takes them: upright, in sRGB, of 8 bits, not too large.

Pictures with more than 8 bits have no white of their own: 4,095 is white in one of 12 bits and dark
in one of 16. What becomes black and white is decided for a whole data set at once.
"""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fashionbench.core.names import printable
from fashionbench.core.shape import GREY28, Shape
from fashionbench.data.colours import to_srgb
from fashionbench.data.picture_files import formats
from fashionbench.data.resizing import to_square
from fashionbench.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "SIDE",
    "Extremes",
    "Levels",
    "NoPicture",
    "Squeezed",
    "TooLarge",
    "common_levels",
    "find_extremes",
    "find_size",
    "load_picture",
    "squeeze_picture",
]

SIDE = 28
LARGEST = 1024
"""Pixels of a picture's longer side; larger ones are reduced while they are read."""
MOST_REDUCED = 250_000_000
"""Pixels of a JPEG that is decoded at a fraction of its size; phones make 200 megapixels."""
COLOURED = 16
"""Grey levels by which the channels of a coloured pixel differ at least."""
ORIENTATION = 0x0112
"""The EXIF tag of which way is up."""

Grey = NDArray[np.uint8]
"""(H, W)."""
Levels = tuple[float, float]
"""The values that become black and white, of pictures with more than 8 bits."""


class Extremes(NamedTuple):
    """The lowest and highest value of pictures with more than 8 bits, and whether all are whole."""

    lowest: float
    highest: float
    whole: bool


class NoPicture(DataError):
    """What was given is in no format of pictures."""


class TooLarge(DataError):
    """A picture has more pixels than are unpacked."""


@dataclass(frozen=True, eq=False)
class Squeezed:
    """A picture as those of a person's own data set are used, and what it was before."""

    image: Grey
    """(side, side) grey, or (3, side, side)."""
    size: tuple[int, int]
    """Width and height in the file."""
    is_coloured: bool
    is_deep: bool
    """Whether it had more than 8 bits."""


def load_picture(
    file: Path | BinaryIO,
    name: str = "",
    levels: Levels | None = None,
    most_pixels: int | None = None,
) -> "Image":
    """Read a picture of any format that Pillow reads, or HEIC: upright, in sRGB, not too large.

    LARGEST is the most pixels of its longer side. Of an animation it is the first frame, of a
    burst the chosen one; what is transparent becomes white behind dark things and black behind
    light ones. `name` is what errors call it. `levels` are those of the data set that a picture
    with more than 8 bits belongs to; without them its own count. Raises NoPicture, TooLarge
    (Pillow's bound, unless `most_pixels` is lower) or another DataError for what cannot be read.
    """
    scale: Scale = common_levels if levels is None else lambda _: levels
    return _read(file, name, scale, most_pixels)[0]


def squeeze_picture(file: Path, scale: "Scale", shape: Shape = GREY28) -> Squeezed:
    """Read a picture of a person's own data set; `scale` gives the levels of its data set."""
    from PIL.Image import Resampling

    asked = list[Extremes]()

    def scale_and_tell(found: Extremes) -> Levels:
        asked.append(found)
        return scale(found)

    picture, size = _read(file, "", scale_and_tell, None)
    small = np.asarray(picture.resize((SIDE, SIDE), Resampling.BOX))
    return Squeezed(
        image=to_square(picture, shape),
        size=size,
        is_coloured=bool(np.ptp(small, axis=2).max() > COLOURED),
        is_deep=bool(asked),
    )


def find_size(file: Path) -> tuple[int, int] | None:
    """Find width and height of a picture without decoding it; None where it cannot be read."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return _identify(file.read_bytes()).size
    except Exception:  # refused when the picture is read
        return None


Scale = Callable[[Extremes], Levels]
"""The extremes of one picture with more than 8 bits -> what becomes black and white."""


def common_levels(found: Extremes) -> Levels:
    """Give pictures with these extremes the levels of as many bits as hold them all.

    Black is 0 or the lowest value below it. Fractions are taken to have 1 as their white, or
    the highest value where that is more, as have numbers of more than 16 bits.
    """
    lowest, highest, whole = found
    white = max(1.0, highest)
    if whole and 1 < white < 2**16:
        white = 2.0 ** max(8, int(white).bit_length()) - 1
    return min(0.0, lowest), white


def find_extremes(file: Path) -> Extremes | None:
    """Find those of a picture with more than 8 bits; None for one of 8, or that cannot be read."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(file.read_bytes()), formats=formats()) as picture:
            found = _extremes(np.asarray(picture), picture) if _is_deep(picture) else None
    except Exception:  # refused when the picture is read
        return None
    return found if found and np.isfinite(found[:2]).all() else None


def _read(
    file: Path | BinaryIO, name: str, scale: Scale, most: int | None
) -> tuple["Image", tuple[int, int]]:
    """Give the picture, upright in RGB, and its size in the file."""
    from PIL import Image, UnidentifiedImageError

    name = printable(name or file)
    try:
        # A path would be read as stripes by Pillow 13, where a TIFF lies on its side.
        content = file.read_bytes() if isinstance(file, Path) else file.read()
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture, size = _open(content, most or Image.MAX_IMAGE_PIXELS or MOST_REDUCED, name)
        with picture:
            return _upright_rgb(picture, content, scale, name), size
    except DataError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise _too_large(name, Image.MAX_IMAGE_PIXELS or 0) from None
    except UnidentifiedImageError:
        raise NoPicture(
            f"{name} is not a picture of a known format; give a JPEG, HEIC, PNG, WebP, AVIF, GIF, "
            "TIFF or BMP."
        ) from None
    except FileNotFoundError:
        raise DataError(f"There is no file {name}; give the path of a picture.") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{name} cannot be read ({reason}); give a whole picture.") from None
    except Exception as error:  # a decoder may raise anything over a damaged file
        reason = " ".join(str(error).split())
        raise DataError(f"{name} is damaged ({reason}); give a whole picture.") from None


def _too_large(name: str, most: int) -> TooLarge:
    return TooLarge(f"{name} has more than {most:,} pixels; make it smaller.")


def _open(content: bytes, most: int, name: str) -> tuple["Image", tuple[int, int]]:
    """Give the picture, not yet decoded, and its size in the file; a JPEG will be at a fraction."""
    from PIL.JpegImagePlugin import JpegImageFile

    if not content.startswith(b"\xff\xd8\xff"):
        picture = _identify(content)
        size = picture.size
    else:
        # Image.open would refuse by the full size, which most JPEGs are never unpacked to.
        picture = JpegImageFile(io.BytesIO(content))
        size = picture.size
        at_full_size = "progressive" in picture.info
        if size[0] * size[1] > (most if at_full_size else MOST_REDUCED):
            raise _too_large(name, most if at_full_size else MOST_REDUCED)
        picture.draft("RGB", (LARGEST, LARGEST))
    if picture.width * picture.height > most:
        raise _too_large(name, most)
    return picture, size


def _identify(content: bytes) -> "Image":
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(io.BytesIO(content), formats=formats())
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise
    except Exception as error:  # what begins as a picture does need not be one
        raise UnidentifiedImageError from error


def _upright_rgb(picture: "Image", content: bytes, scale: Scale, name: str) -> "Image":
    from PIL import Image, ImageOps

    picture.load()
    info = picture.info
    orientation = _find_orientation(picture, content)
    if _is_deep(picture):
        values = np.array(picture, np.float32)  # changed in place: it may be a large picture
        if not np.isfinite(values).all():
            raise DataError(f"{name} has values that are no finite numbers (NaN); replace them.")
        black, white = scale(_extremes(values, picture))
        values.clip(black, white, out=values)
        values -= black
        values *= 255 / (white - black)
        picture = Image.fromarray(np.rint(values).astype(np.uint8))
    if picture.has_transparency_data:
        picture = _on_ground(picture.convert("RGBA"))
    picture = picture.convert("RGB")
    picture.thumbnail((LARGEST, LARGEST))
    picture = to_srgb(picture, info)
    picture.getexif()[ORIENTATION] = orientation
    return ImageOps.exif_transpose(picture)


def _find_orientation(picture: "Image", content: bytes) -> int:
    """Return what is left to follow: not TIFF's, which Pillow does, nor HEIF's own transform.

    That counts instead of EXIF's, which a phone writes too; a file that was converted may have
    EXIF's alone.
    """
    if picture.format == "HEIF":
        turned = b"irot" in content or b"imir" in content
        return 1 if turned else picture.info.get("original_orientation") or 1
    return picture.getexif().get(ORIENTATION) or 1


def _is_deep(picture: "Image") -> bool:
    return picture.mode in ("I", "F") or picture.mode.startswith("I;16")


def _extremes(values: NDArray[Any], picture: "Image") -> Extremes:
    return Extremes(float(values.min()), float(values.max()), picture.mode != "F")


def _on_ground(picture: "Image") -> "Image":
    """Put a picture with transparency on white if it is dark, on black if it is light."""
    from PIL import Image

    grey, alpha = np.asarray(picture.convert("L")), np.asarray(picture)[..., 3]
    dark = not alpha.any() or np.average(grey, weights=alpha) < 128
    behind = Image.new("RGBA", picture.size, "white" if dark else "black")
    return Image.alpha_composite(behind, picture)
