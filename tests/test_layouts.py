"""Folders of pictures as people have them: layouts, strays, names, copies, depths."""

import hashlib
import json
import os
import shutil
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest
from factories import some_arrays, write_idx
from PIL import Image

from fashionbench.data.datasets import describe, identify_dataset, load_arrays, load_data
from fashionbench.data.folders import open_folder
from fashionbench.errors import DataError

RNG = np.random.default_rng(0)


def draw(*files: Path, shape: tuple[int, ...] = (28, 28)) -> None:
    """A picture of noise in each file, no two the same."""
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, shape).astype(np.uint8)).save(file, "PNG")


def fill(folder: Path, *classes: str, count: int = 3) -> None:
    draw(*(folder / name / f"{i}.png" for name in classes for i in range(count)))


# Splits


@pytest.mark.parametrize(
    ("train", "test", "title"),
    [
        ("train", "test", "mine"),
        ("Train", "Test", "mine"),
        ("TRAIN", "test", "mine"),
        ("training", "testing", "mine"),
        ("Training", "test", "mine"),
        ("train", "val", "mine (val is the test set)"),
        ("Train", "Valid", "mine (Valid is the test set)"),
        ("training", "validation", "mine (validation is the test set)"),
    ],
)
def test_folders_of_splits_go_by_many_names(
    train: str, test: str, title: str, tmp_path: Path
) -> None:
    fill(tmp_path / "mine" / train, "a", "b", count=3)
    fill(tmp_path / "mine" / test, "a", "b", count=2)
    data = load_data(str(tmp_path / "mine"))
    assert (data.title, data.classes, data.notes) == (title, ("a", "b"), ())
    assert (len(data.train), len(data.test)) == (6, 4)
    with Image.open(tmp_path / "mine" / test / "b" / "1.png") as picture:
        np.testing.assert_array_equal(data.test.images[-1], np.asarray(picture))


@pytest.mark.parametrize("name", ["val", "valid", "Validation", "extra"])
def test_a_folder_beside_those_of_training_and_test_is_told(name: str, tmp_path: Path) -> None:
    for split in ("train", "test", name):
        fill(tmp_path / split, "a", "b", count=2)
    data = load_data(str(tmp_path))
    assert len(data.train) == len(data.test) == 4
    (note,) = data.notes
    assert note.startswith(f"The folder {name} with 4 pictures is not used: ")
    assert ("held out of the training images" in note) == (name != "extra")
    assert f"! {note}" in str(describe(str(tmp_path)))


@pytest.mark.parametrize("name", ["train", "test", "val", "Training"])
@pytest.mark.parametrize("more", [False, True], ids=["", "with pictures in folders"])
def test_a_class_may_be_called_as_a_split_is(name: str, more: bool, tmp_path: Path) -> None:
    fill(tmp_path, "bus", "car", name, count=4)
    if more:
        draw(tmp_path / name / "old" / "4.png")
    data = load_data(str(tmp_path))
    assert data.classes == tuple(sorted(["bus", "car", name]))
    assert len(data.train) + len(data.test) == 12 + more


def test_a_class_called_train_may_lie_in_train(tmp_path: Path) -> None:
    for split in ("train", "test"):
        fill(tmp_path / split, "bus", "test", "train")
    assert load_data(str(tmp_path)).classes == ("bus", "test", "train")


def test_pictures_beside_classes_do_not_make_a_class_of_a_split(tmp_path: Path) -> None:
    for split in ("train", "test", "docs"):
        fill(tmp_path / split, "a", "b")
        draw(tmp_path / split / "overview.png")
    data = load_data(str(tmp_path))
    assert data.classes == ("a", "b")
    unused, strays = data.notes
    assert unused.startswith("The folder docs with 7 pictures is not used: it is neither of")
    assert strays == "2 pictures were passed over because they lie in no class's folder: 2 .png."


@pytest.mark.parametrize(
    ("folders", "says"),
    [
        (("train/a", "train/b"), r"no folder .*/test; a data set is train/CLASS"),
        (("test/a", "test/b"), r"no folder .*/train; a data set is train/CLASS"),
        (("train/a", "train/b", "extra/c"), r"no folder .*/test"),
        (("train", "test"), r"holds 0 classes; there must be 2 to 256"),
        (("train/a", "train/b", "Train/a", "test/a", "test/b"), r"holds Train and train, of which"),
        (("train/a", "train/b", "val/a", "valid/b"), r"holds val and valid, of which one"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(
    folders: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    fill(tmp_path, *folders)
    with pytest.raises(DataError, match=says):
        open_folder(str(tmp_path))


# What is used and what is not


def test_pictures_of_any_format_and_in_folders_of_a_class_are_used(tmp_path: Path) -> None:
    for name in ("a", "b"):
        fill(tmp_path / name, "2023", "2024/may", count=5)
        fill(tmp_path, name, count=5)
        for number, suffix in enumerate(("jfif", "avif", "pgm", "webp", "TGA")):
            file = tmp_path / name / f"{number}.{suffix}"
            Image.fromarray(RNG.integers(0, 256, (28, 28)).astype(np.uint8)).save(file)
        draw(tmp_path / name / "without a suffix", tmp_path / name / "other.dat")
    data = load_data(str(tmp_path))
    assert len(data.train) + len(data.test) == 2 * 22
    assert data.notes == ()


@pytest.mark.slow
def test_what_is_passed_over_is_told_everywhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from fashionbench.experiments.comparison import compare

    folder = tmp_path / "mine"
    fill(folder, "a", "b", count=10)
    for name in ("a/1.dng", "a/2.DNG", "b/notes.txt", "README.md", "b/in/LICENSE"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"no picture")
    draw(folder / "lost.png")
    for name in (".DS_Store", "a/Thumbs.db", "a/._1.png", "__MACOSX/a/._1.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"of a system")
    suffixes = "2 .dng, 1 .md, 1 .txt, 1 without a suffix"
    told = (
        f"5 files were passed over because they are not pictures that can be read: {suffixes}.",
        "1 picture was passed over because it lies in no class's folder: 1 .png.",
    )
    summary = describe(str(folder))
    assert summary.notes == told
    quick = {"epochs": 1, "batch_size": 8, "device": "cpu", "parallel": "serial"}
    compare(["v0"], seeds=1, dataset=str(folder), out=tmp_path / "runs", **quick)
    assert [record.getMessage() for record in caplog.records] == [*told]


def test_what_is_named_like_a_picture_and_is_none_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, "a", "b")
    (tmp_path / "a" / "9.jpg").write_bytes(b"text")
    with pytest.raises(DataError, match=r"a/9\.jpg is not a picture of a known format"):
        load_data(str(tmp_path))


def test_colours_and_sizes_that_are_lost_are_told(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for number in range(5):
            draw(tmp_path / name / f"{number}.png", shape=(32, 32, 3))
    told = ("10 pictures were in color and 32x32: they are used as 28x28 in grey.",)
    grey = {"channels": 1, "size": 28}
    assert load_data(str(tmp_path), **grey).notes == told == describe(str(tmp_path), **grey).notes
    assert load_data(str(tmp_path)).notes == describe(str(tmp_path)).notes == ()


def test_copies_in_training_and_test_are_told(tmp_path: Path) -> None:
    for split in ("train", "test"):
        fill(tmp_path / split, "a", "b", count=10)
    for number in range(4):
        copy = tmp_path / "test" / "b" / f"{number}.png"
        with Image.open(tmp_path / "train" / "a" / f"{number}.png") as picture:
            picture.save(copy.with_suffix(".bmp"))  # the same pixels in another file
        copy.unlink()
    (note,) = load_data(str(tmp_path)).notes
    assert note.startswith("4 of 20 test images are copies of training images")
    arrays = some_arrays()
    arrays[2][:3] = arrays[0][:3]
    (note,) = load_data(str(write_idx(tmp_path / "digits", arrays))).notes
    assert note.startswith("3 of 12 test images are copies")


@pytest.mark.slow
def test_the_data_sets_of_the_table_have_no_notes() -> None:
    assert load_data("silhouettes").notes == describe("silhouettes").notes == ()


def test_fashion_mnist_has_no_notes(real_data: Path) -> None:
    assert load_data(data_dir=real_data).notes == describe(data_dir=real_data).notes == ()


# More than 8 bits


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_a_data_set_has_one_white(bits: int, suffix: str, tmp_path: Path) -> None:
    """A dark picture stays dark, and 12 bits are no 16."""
    white = 2**bits - 1
    for number, name in enumerate(("dark", "light")):
        for i in range(5):
            values = np.full((28, 28), (white, white // 100)[1 - number], np.uint16)
            values[0, 0] = i
            file = tmp_path / name / f"{i}.{suffix}"
            file.parent.mkdir(exist_ok=True)
            Image.fromarray(values).save(file)
    data = load_data(str(tmp_path))
    assert data.levels == (0, white)
    means = [data.train.images[data.train.labels == k][:, 14, 14].float().mean() for k in (0, 1)]
    assert means == pytest.approx([255 / 100, 255], abs=1)
    # The white of the test images is that of all.
    ((images, _),) = load_arrays(str(tmp_path), splits=["test"])
    assert sorted(images[:, 14, 14].tolist()) == pytest.approx([255 / 100, 255], abs=1)


def test_floats_and_negative_values_share_their_range(tmp_path: Path) -> None:
    for k, name in enumerate(("a", "b")):
        for i in range(5):
            values = np.linspace(-1000 * k, 1500 * (1 + k), 784).reshape(28, 28) + i
            file = tmp_path / name / f"{i}.tiff"
            file.parent.mkdir(exist_ok=True)
            Image.fromarray(values.astype(np.float32)).save(file)
    data = load_data(str(tmp_path))
    assert data.levels == (-1000, 3004)
    darkest = [int(data.train.images[data.train.labels == k].min()) for k in (0, 1)]
    assert darkest == pytest.approx([1000 / 4004 * 255, 0], abs=1)


def test_pictures_of_8_bits_have_no_levels_to_keep(tmp_path: Path) -> None:
    fill(tmp_path, "a", "b")
    assert load_data(str(tmp_path)).levels is None


def test_12_bits_in_colour_are_told_since_pillow_keeps_8_of_16(tmp_path: Path) -> None:
    """Without a word it drops the lower half of a coloured PNG with 16 bits: 4095 becomes 15."""
    for name in ("a", "b"):
        for i in range(5):
            pixels = RNG.integers(0, 4096, (28, 28, 3)).astype(np.uint16)
            file = tmp_path / name / f"{i}.png"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    assert "grey levels of 256" in load_data(str(tmp_path)).notes[-1]


@pytest.mark.parametrize("values", [range(10), (0, 1), (200, 201)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_data_set_of_few_grey_levels_is_told(values, kind, tmp_path: Path) -> None:
    for name in ("a", "b"):
        for i in range(5):
            pixels = RNG.choice([*values], (28, 28)).astype(kind)
            file = tmp_path / name / f"{i}.png"
            file.parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(file)
    notes = load_data(str(tmp_path)).notes
    if kind is np.uint16 and max(values) == 1:
        assert notes == ()  # 1 is their white
    else:
        assert "grey levels of 256" in notes[0]


# Names


def test_what_was_recorded_of_a_folder_of_before_is_found_again(tmp_path: Path) -> None:
    """The digest of 8-bit pictures in flat folders is as it was, TIFFs' is another."""
    for split in ("train", "test"):
        fill(tmp_path / split, "a", "b")
    expected = hashlib.sha256()
    for split in ("train", "test"):
        for name in ("a", "b"):
            for i in range(3):
                if (split, name, i) == ("test", "b", 2):
                    before = expected.copy()
                file = f"{split}/{name}/{i}.png"
                content = hashlib.sha256((tmp_path / file).read_bytes()).hexdigest()
                expected.update(f"{split}/{file}\0{content}".encode())
    assert identify_dataset(str(tmp_path)) == expected.hexdigest()[:16]
    # What was read in another way must not be found again.
    for kind, picture in (("TIFF", Image.new("L", (28, 28))), ("PNG", Image.new("I;16", (9, 9)))):
        picture.save(tmp_path / "test" / "b" / "2.png", kind)
        content = hashlib.sha256((tmp_path / "test" / "b" / "2.png").read_bytes()).hexdigest()
        whole = before.copy()
        whole.update(f"test/test/b/2.png\0{content}".encode())
        assert identify_dataset(str(tmp_path)) != whole.hexdigest()[:16]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_copy_from_a_mac_is_the_same_data_set(form: str, tmp_path: Path) -> None:
    # In the order of bytes é comes before f when it is taken apart, else after z.
    names = ["étoile", "fleur", "zèbre", "Ångström"]
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (4, 10, 28, 28)).astype(np.uint8)
    found = []
    for way in ("NFC", form):
        folder = tmp_path / way
        for name, of_class in zip(names, pixels, strict=True):
            for number, image in enumerate(of_class):
                file = folder / unicodedata.normalize(way, f"{name}/ö{number}é.png")
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(file)
        found.append((identify_dataset(str(folder)), load_data(str(folder))))
    (digest, data), (other_digest, other) = found
    assert digest == other_digest
    assert data.classes == other.classes
    for split, same in ((data.train, other.train), (data.test, other.test)):
        assert split.images.equal(same.images)
        assert split.labels.equal(same.labels)


def test_two_forms_of_one_class_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, "a", "é", "e\u0301")
    if len(list(tmp_path.iterdir())) < 3:
        pytest.skip("this file system knows one form")
    with pytest.raises(DataError, match="two folders called é, written in two forms of Unicode"):
        open_folder(str(tmp_path))


@pytest.mark.slow
def test_names_of_any_bytes_do_no_harm(tmp_path: Path) -> None:
    from fashionbench.experiments.comparison import compare

    folder = tmp_path / os.fsdecode(b"m\xeene")
    try:
        fill(folder, os.fsdecode(b"caf\xe9"), os.fsdecode(b"caf\xe8"), count=10)
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    draw(folder / os.fsdecode(b"caf\xe9") / os.fsdecode(b"\xff\xfe.png"))
    (folder / os.fsdecode(b"\xe9.t\xe9xt")).write_text("no picture")
    shutil.copytree(folder, tmp_path / "again")
    with pytest.raises(DataError, match=r"m\\xeene has a name that is no UTF-8; rename it"):
        describe(str(folder))
    summary = describe(str(tmp_path / "again"))
    assert list(summary.classes) == ["caf\\xe8", "caf\\xe9"]
    assert "1 .t\\xe9xt" in summary.notes[0]
    json.dumps(summary.notes).encode("utf-8")
    quick = {"epochs": 1, "batch_size": 8, "device": "cpu", "parallel": "serial"}
    out = tmp_path / "runs"
    result = compare(["v0"], seeds=1, dataset=str(tmp_path / "again"), out=out, **quick)
    assert "caf\\xe9" in (out / "report.html").read_text("utf-8")
    assert "caf\\\\xe9" in result.to_json()
