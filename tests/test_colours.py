"""Colours of phones' photos become sRGB's, by profile or by number."""

import io
import struct
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from fashionbench.data.picture_reading import load_picture

# The red of sRGB in Display P3, as CSS Color 4 converts it: color(display-p3 0.9176 0.2003 0.1386).
RED_IN_P3 = (234, 51, 35)


def display_p3() -> bytes:
    """An ICC profile of version 2 with P3's primaries, adapted to D50, and a plain gamma."""

    def fixed(*values: float) -> bytes:
        return struct.pack(f">{len(values)}i", *(round(65536 * value) for value in values))

    def point(*xyz: float) -> bytes:
        return b"XYZ \0\0\0\0" + fixed(*xyz)

    name = b"Display P3\0"
    described = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78)
    gamma = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + bytes(2)
    tags = {
        b"desc": described + bytes(-len(described) % 4),
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": point(0.9642, 1.0, 0.8249),
        b"rXYZ": point(0.51512, 0.24120, -0.00105),
        b"gXYZ": point(0.29198, 0.69225, 0.04189),
        b"bXYZ": point(0.15710, 0.06657, 0.78407),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma),
    }
    table, data, place = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        table += tag + struct.pack(">II", place + len(data), len(content))
        data += content
    head = struct.pack(">I4sI", 128 + len(table) + len(data), b"none", 0x02400000)
    head += b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28) + fixed(0.9642, 1.0, 0.8249)
    return head.ljust(128, b"\0") + table + data


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_p3_by_profile_becomes_srgb(kind: str, tmp_path: Path) -> None:
    pillow_heif.register_heif_opener()
    Image.new("RGB", (32, 32), RED_IN_P3).save(
        tmp_path / "red", kind, quality=95, icc_profile=display_p3()
    )
    found = np.asarray(load_picture(tmp_path / "red"), int)
    assert abs(found - (255, 0, 0)).max() <= 12  # a plain gamma is near sRGB's curve


def numbered(colour: tuple[int, int, int], primaries: int, curve: int) -> io.BytesIO:
    """A HEIC of one colour that names its primaries and its curve by number."""
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (32, 32), colour)).save(
        file,
        quality=-1,
        chroma=444,
        color_primaries=primaries,
        transfer_characteristics=curve,
        matrix_coefficients=0,
        full_range_flag=1,
    )
    file.seek(0)
    return file


@pytest.mark.parametrize(
    ("colour", "primaries", "curve", "expected"),
    [
        (RED_IN_P3, 12, 13, (255, 0, 0)),
        ((90, 90, 90), 12, 13, (90, 90, 90)),
        (RED_IN_P3, 1, 13, RED_IN_P3),
        # BT.2408: white paper (203 candelas) is 58 % of the signal in PQ and 75 % in HLG; a grey
        # card (26 candelas) 38 % in both, which is sRGB's 100.
        ((148, 148, 148), 9, 16, (255, 255, 255)),
        ((191, 191, 191), 9, 18, (255, 255, 255)),
        ((97, 97, 97), 9, 16, (100, 100, 100)),
        ((97, 97, 97), 9, 18, (100, 100, 100)),
        ((0, 0, 0), 9, 16, (0, 0, 0)),
    ],
    ids=["P3", "P3, grey", "sRGB", "PQ, white", "HLG, white", "PQ, grey", "HLG, grey", "PQ, black"],
)
def test_colours_by_number_become_srgb(
    colour: tuple[int, int, int], primaries: int, curve: int, expected: tuple[int, int, int]
) -> None:
    found = np.asarray(load_picture(numbered(colour, primaries, curve)), int)
    assert abs(found - expected).max() <= 4


def test_a_profile_that_cannot_be_followed_is_passed_over(tmp_path: Path) -> None:
    picture = Image.new("RGB", (8, 8), (10, 200, 90))
    picture.save(tmp_path / "x.png", icc_profile=b"no profile at all")
    assert np.asarray(load_picture(tmp_path / "x.png")).tolist() == np.asarray(picture).tolist()
