"""Files of pictures: told by name or content, found wherever they lie."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashionbench.data.picture_files import find_pictures, formats, is_picture
from fashionbench.data.picture_reading import NoPicture, load_picture
from fashionbench.errors import DataError

RAMP = np.tile(np.linspace(10, 240, 40).astype(np.uint8), (30, 1))
"""40 wide, 30 high."""

WRITTEN = {
    "apng": "PNG",
    "avif": "AVIF",
    "bmp": "BMP",
    "dds": "DDS",
    "gif": "GIF",
    "heic": "HEIF",
    "heif": "HEIF",
    "hif": "HEIF",
    "icns": "ICNS",
    "ico": "ICO",
    "jfif": "JPEG",
    "jp2": "JPEG2000",
    "jpe": "JPEG",
    "pcx": "PCX",
    "pgm": "PPM",
    "png": "PNG",
    "ppm": "PPM",
    "sgi": "SGI",
    "tga": "TGA",
    "tiff": "TIFF",
    "webp": "WEBP",
}


@pytest.mark.parametrize("suffix", WRITTEN)
def test_every_format_that_pillow_reads_is_a_picture(suffix: str, tmp_path: Path) -> None:
    formats()
    if WRITTEN[suffix] not in Image.SAVE:
        pytest.skip(f"this Pillow does not write {WRITTEN[suffix]}")
    file = tmp_path / f"A.{suffix.upper()}"
    Image.fromarray(RAMP).convert("RGB").save(file, WRITTEN[suffix])
    assert is_picture(file)
    found = np.asarray(load_picture(file).convert("L").resize((40, 30)), int)
    assert found.shape == RAMP.shape
    if suffix not in ("ico", "icns"):  # which are square
        assert abs(found - RAMP).max() <= 12


@pytest.mark.parametrize(
    "kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "HEIF", "AVIF"]
)
@pytest.mark.parametrize("name", ["picture", "picture.dat", "picture.PNG.bak", "picture.txt"])
def test_content_tells_a_picture_whose_name_does_not(kind: str, name: str, tmp_path: Path) -> None:
    Image.fromarray(RAMP).save(tmp_path / name, kind)
    assert is_picture(tmp_path / name)
    assert load_picture(tmp_path / name).size == (40, 30)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", b"no picture"),
        ("empty", b""),
        ("labels.csv", b"a,b\n1,2\n"),
        ("about.txt", b"Date: 2020\nName: of somebody\n"),  # as the format IM begins
        ("about.md", b"P1 was the first of them.\n"),  # as PBM begins
        ("song.mid", b"MThd\0\0\0\6"),
        ("page.ps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        ("table.h5", b"\x89HDF\r\n\x1a\n"),
        ("live.mov", b"\0\0\0\x14ftypqt  \0\0\0\0"),  # beside a phone's live photo
    ],
)
def test_what_no_name_and_no_content_call_a_picture_is_none(
    name: str, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    assert not is_picture(tmp_path / name)
    if content.startswith(b"Date"):
        return  # Pillow takes it for a picture that is cut short
    with pytest.raises(NoPicture, match="is not a picture of a known format; give a JPEG"):
        load_picture(io.BytesIO(content))


def test_pictures_are_found_in_all_folders_and_what_systems_leave_is_not(tmp_path: Path) -> None:
    for name in ("b.png", "a/c.png", "a/deep/er/d.pgm", "a/link.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RAMP).save(tmp_path / name)
    for name in (
        *("._b.png", ".DS_Store", "Thumbs.db", "desktop.ini", "a/._c.png", ".git/x.png"),
        *("__MACOSX/b.png", "@eaDir/b.png", "a/.cache/c.png", "a/THUMBS.DB"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"anything")
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    (tmp_path / "a" / "around").symlink_to(tmp_path, target_is_directory=True)
    elsewhere = tmp_path.parent / f"{tmp_path.name} elsewhere"
    elsewhere.mkdir()
    Image.fromarray(RAMP).save(elsewhere / "e.png")
    (tmp_path / "linked").symlink_to(elsewhere, target_is_directory=True)
    pictures, others = find_pictures(tmp_path)
    names = [file.relative_to(tmp_path).as_posix() for file in pictures]
    assert names == ["a/c.png", "a/deep/er/d.pgm", "a/link.png", "b.png", "linked/e.png"]
    assert [file.name for file in others] == ["notes.txt"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_a_folder_is_passed_over_and_not_waited_for(tmp_path: Path) -> None:
    for name in ("pipe.png", "pipe"):
        os.mkfifo(tmp_path / name)
    assert find_pictures(tmp_path) == ([], [tmp_path / "pipe", tmp_path / "pipe.png"])


def test_a_name_of_any_bytes_is_read_and_told(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.png"
    try:
        Path(os.fsdecode(raw)).write_bytes(b"no picture")
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    with pytest.raises(DataError, match=r"caf\\xe9\.png is not a picture"):
        load_picture(Path(os.fsdecode(raw)))
    Image.fromarray(RAMP).save(os.fsdecode(raw))
    (found,), _ = find_pictures(tmp_path)
    assert load_picture(found).size == (40, 30)
