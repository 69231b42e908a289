"""Reading pictures: the way up, white, colours, sizes."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image

from fashionbench.data.picture_reading import (
    Extremes,
    TooLarge,
    common_levels,
    find_extremes,
    load_picture,
    squeeze_picture,
)
from fashionbench.errors import DataError

RAMP = np.tile(np.linspace(10, 240, 40).astype(np.uint8), (30, 1))
"""40 wide, 30 high."""

# The way up


def turned(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """What a camera held that way stores: EXIF 2.32 tells where its row 0 and column 0 are."""
    ways = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: a.swapaxes(0, 1)[::-1],
        7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
        8: lambda a: a.swapaxes(0, 1)[:, ::-1],
    }
    return np.ascontiguousarray(ways[orientation](pixels))


def picture_in(mode: str, pixels: NDArray[np.uint8]) -> Image.Image:
    grey = Image.fromarray(pixels)
    if mode == "I;16":
        return Image.fromarray(pixels.astype(np.uint16) * 257)
    if mode in ("I", "F"):
        return Image.fromarray(pixels.astype(np.int32 if mode == "I" else np.float32))
    if mode == "P":
        picture = Image.fromarray(pixels, "L").copy()
        picture.putpalette([level for i in range(256) for level in (i, 255 - i, i // 2)])
        return picture
    return grey.convert(mode, dither=Image.Dither.NONE)


KINDS: dict[str, tuple[dict[str, object], tuple[str, ...]]] = {
    "TIFF": ({}, ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F")),
    "TIFF, packed": ({"compression": "tiff_lzw"}, ("L", "P", "RGB", "CMYK", "I;16")),
    "PNG": ({}, ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
    "WEBP": ({"lossless": True}, ("RGB", "RGBA")),
    "JPEG": ({"quality": 95}, ("L", "RGB", "CMYK")),
}
"""Options of saving, and the modes that the format has."""


@pytest.mark.parametrize(
    ("kind", "mode"), [(kind, mode) for kind, (_, modes) in KINDS.items() for mode in modes]
)
@pytest.mark.parametrize("opened", ["path", "file"])
def test_eight_orientations_of_one_picture_are_the_same(
    kind: str, mode: str, opened: str, tmp_path: Path
) -> None:
    """The smallest case that Pillow 13 reads as stripes: a TIFF on its side, opened by its path."""
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24)).astype(np.uint8)
    if kind == "JPEG":
        pixels = np.kron(pixels[::8, ::8], np.ones((8, 8), np.uint8))  # whole blocks
    found = []
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"{orientation}.picture"
        picture = picture_in(mode, turned(pixels, orientation))
        picture.save(path, kind.split(",")[0], exif=exif, **KINDS[kind][0])
        file = path if opened == "path" else io.BytesIO(path.read_bytes())
        found.append(np.asarray(load_picture(file), int))
    for picture in found[1:]:
        assert picture.shape == found[0].shape == (16, 24, 3)
        assert abs(picture - found[0]).max() <= (4 if kind == "JPEG" else 0)
    assert found[0].std() > 20


# White


@pytest.mark.parametrize(
    ("found", "levels"),
    [
        (Extremes(0, 1, True), (0, 1)),
        (Extremes(0, 200, True), (0, 255)),
        (Extremes(3, 255, True), (0, 255)),
        (Extremes(0, 256, True), (0, 511)),
        (Extremes(12, 1000, True), (0, 1023)),
        (Extremes(0, 1023, True), (0, 1023)),
        (Extremes(0, 4000, True), (0, 4095)),
        (Extremes(0, 40_000, True), (0, 65_535)),
        (Extremes(0, 70_000, True), (0, 70_000)),
        (Extremes(-1000, 3000, True), (-1000, 4095)),
        (Extremes(0, 0.4, False), (0, 1)),
        (Extremes(-1, 1, False), (-1, 1)),
        (Extremes(0, 3.7, False), (0, 3.7)),
        (Extremes(-5, -2, False), (-5, 1)),
    ],
)
def test_levels_are_those_of_as_many_bits_as_hold_all(
    found: Extremes, levels: tuple[float, float]
) -> None:
    assert common_levels(found) == levels


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("suffix", ["png", "tiff", "pgm"])
def test_white_is_white_in_a_picture_of_so_many_bits(
    bits: int, suffix: str, tmp_path: Path
) -> None:
    white = 2**bits - 1
    values = np.linspace(0, white, 64).astype(np.uint16).reshape(8, 8)
    file = tmp_path / f"deep.{suffix}"
    if suffix == "pgm":
        file.write_bytes(b"P5 8 8 %d\n" % white + values.astype(">u2").tobytes())
    else:
        Image.fromarray(values).save(file)
    found = np.asarray(load_picture(file).convert("L"), int)
    assert abs(found - values * (255 / white)).max() <= 1


def test_levels_that_are_known_count_and_not_the_pictures_own(tmp_path: Path) -> None:
    file = tmp_path / "dark.png"
    Image.fromarray(np.full((5, 5), 200, np.uint16)).save(file)
    assert np.asarray(load_picture(file, levels=(0, 65_535))).max() == 1
    assert np.asarray(load_picture(file, levels=(0, 400))).max() == 128  # 127.5, to even
    assert np.asarray(load_picture(file, levels=(0, 100))).max() == 255
    eight_bits = tmp_path / "eight.png"
    Image.new("L", (5, 5), 200).save(eight_bits)
    assert np.asarray(load_picture(eight_bits, levels=(0, 65_535))).max() == 200
    assert find_extremes(file) == Extremes(200, 200, True)
    assert find_extremes(eight_bits) is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(bad: float, tmp_path: Path) -> None:
    values = np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10)
    values[3, 4] = bad
    Image.fromarray(values).save(tmp_path / "x.tiff")
    with pytest.raises(DataError, match=r"x\.tiff has values that are no finite numbers \(NaN\)"):
        load_picture(tmp_path / "x.tiff")
    assert find_extremes(tmp_path / "x.tiff") is None


def test_what_a_picture_was_is_told(tmp_path: Path) -> None:
    """Grey in three channels is no colour; the size is that of the file."""
    Image.fromarray(RAMP).convert("RGB").save(tmp_path / "grey.jpg")
    Image.new("RGB", (3000, 1500), "red").save(tmp_path / "red.jpg")
    grey, red = (
        squeeze_picture(tmp_path / name, common_levels) for name in ("grey.jpg", "red.jpg")
    )
    assert (grey.size, grey.is_coloured, grey.is_deep) == ((40, 30), False, False)
    assert (red.size, red.is_coloured, red.image.shape) == ((3000, 1500), True, (28, 28))


# Large ones


def jpeg_claiming(width: int, height: int, *, progressive: bool = False) -> bytes:
    """A small JPEG whose header says that it is large; what lacks of it cannot be decoded."""
    file = io.BytesIO()
    Image.new("L", (16, 16), 90).save(file, "JPEG", progressive=progressive)
    content = bytearray(file.getvalue())
    place = content.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    content[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def test_a_photo_of_108_megapixels_is_decoded_small() -> None:
    file = io.BytesIO()
    Image.new("L", (12_000, 9_000), 90).save(file, "JPEG", quality=30)
    picture = load_picture(file := io.BytesIO(file.getvalue()))
    assert picture.size == (1024, 768)
    assert abs(np.asarray(picture, int) - 90).max() <= 3


@pytest.mark.parametrize(
    ("content", "most"),
    [
        (jpeg_claiming(16_000, 16_000), "250,000,000"),
        (jpeg_claiming(65_000, 65_000), "250,000,000"),
        (jpeg_claiming(12_000, 9_000, progressive=True), "89,478,485"),
        # Too narrow to be reduced by much.
        (jpeg_claiming(60_000, 1_800), "89,478,485"),
    ],
)
def test_a_jpeg_that_cannot_be_decoded_small_is_refused(content: bytes, most: str) -> None:
    with pytest.raises(TooLarge, match=f"x has more than {most} pixels; make it smaller"):
        load_picture(io.BytesIO(content), "x")


@pytest.mark.parametrize(("side", "most"), [(10_000, None), (15_000, None), (2_000, 3_999_999)])
def test_a_small_file_that_unpacks_to_a_huge_picture_is_refused(
    side: int, most: int | None
) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    content = (
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )
    with pytest.raises(TooLarge, match=r"more than .* pixels; make it smaller"):
        load_picture(io.BytesIO(content), most_pixels=most)


# HEIC, as phones write it


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("by", ["both", "EXIF"])
def test_a_heic_is_turned_once(orientation: int, by: str, tmp_path: Path) -> None:
    """Phones write the turn twice, as HEIF's own and in EXIF; what was converted may have EXIF's.

    pillow-heif writes both if it is given EXIF as bytes, and EXIF's alone if as an object.
    """
    pillow_heif.register_heif_opener()
    pixels = np.kron([[0, 80], [160, 240], [40, 120]], np.ones((32, 32))).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = Image.fromarray(turned(pixels, orientation)).convert("RGB")
    lying.save(
        tmp_path / "x.heic", "HEIF", quality=95, exif=exif.tobytes() if by == "both" else exif
    )
    has_own = b"irot" in (tmp_path / "x.heic").read_bytes()
    assert has_own == (by == "both" and orientation not in (1, 2, 4))
    found = np.asarray(load_picture(tmp_path / "x.heic").convert("L"), int)
    assert found.shape == pixels.shape
    assert abs(found - pixels).max() <= 12


def test_of_a_burst_the_chosen_picture_is_read(tmp_path: Path) -> None:
    pillow_heif.register_heif_opener()
    first, *others = (Image.new("RGB", (64, 48), (level,) * 3) for level in (20, 120, 220))
    first.save(tmp_path / "x.heic", save_all=True, append_images=others, primary_index=1)
    assert abs(np.asarray(load_picture(tmp_path / "x.heic"), int) - 120).max() <= 4


@pytest.mark.parametrize("bits", [10, 12])
def test_a_heic_of_more_than_8_bits_keeps_its_white(
    bits: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", bits == 12)
    ramp = np.tile(np.linspace(0, 65_535, 64).astype(np.uint16)[:, None], (64, 1, 3))
    heif = pillow_heif.from_bytes("RGB;16", (64, 64), ramp.tobytes())
    heif.save(tmp_path / "x.heic", quality=95)
    assert pillow_heif.open_heif(tmp_path / "x.heic").info["bit_depth"] == bits
    found = np.asarray(load_picture(tmp_path / "x.heic"), int)
    assert abs(found - ramp.reshape(64, 64, 3) / 257).max() <= 6


def test_a_heic_cut_short_is_refused(tmp_path: Path) -> None:
    pillow_heif.register_heif_opener()
    Image.fromarray(RAMP).convert("RGB").save(tmp_path / "x.heic")
    (tmp_path / "x.heic").write_bytes((tmp_path / "x.heic").read_bytes()[:-50])
    with pytest.raises(DataError, match=r"x\.heic .*; give a whole picture"):
        load_picture(tmp_path / "x.heic")
