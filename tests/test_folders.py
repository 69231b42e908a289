"""A person's own data set: read as it lies there, told apart by content, its faults explained."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from factories import NAMES, some_arrays, write_idx
from PIL import Image

from fashionbench.cli.previews import write_augmentations, write_samples
from fashionbench.config.recipe import load_recipe
from fashionbench.data.datasets import (
    dataset_entry,
    describe,
    identify_dataset,
    load_arrays,
    load_data,
)
from fashionbench.data.folders import open_folder
from fashionbench.errors import DataError, UsageError
from fashionbench.experiments.comparison import compare
from fashionbench.experiments.planning import plan
from fashionbench.inference.export import export_model

QUICK = {"epochs": 1, "batch_size": 8, "device": "cpu", "parallel": "serial"}


def write_pictures(folder: Path, names: tuple[str, ...], count: int) -> None:
    for k, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            Image.new("L", (28, 28), 40 * k + i).save(folder / name / f"{i}.png")


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_give_what_was_written(packed: bool, tmp_path: Path) -> None:
    arrays = some_arrays()
    folder = write_idx(tmp_path / "digits", arrays, packed=packed)
    (images, labels), (test_images, test_labels) = load_arrays(str(folder))
    for found, written in zip((images, labels, test_images, test_labels), arrays, strict=True):
        np.testing.assert_array_equal(found, written)
    entry = dataset_entry(f"{folder}/")
    assert (entry.title, entry.classes) == ("digits", ("0", "1", "2"))


def test_folders_of_pictures_give_classes_and_grey_levels(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("test", 2)):
        write_pictures(tmp_path / split, ("boots", "hats"), count)
    data = load_data(str(tmp_path))
    assert data.classes == ("boots", "hats")
    assert data.train.images[:, 0, 0].tolist() == [0, 1, 2, 40, 41, 42]
    assert data.test.images[:, 27, 27].tolist() == [0, 1, 40, 41]
    assert data.test.labels.tolist() == [0, 0, 1, 1]
    assert str(tmp_path) in str(describe(str(tmp_path)))


def test_colours_size_and_what_is_transparent(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "train" / name).mkdir(parents=True)
        (tmp_path / "test" / name).mkdir(parents=True)
        Image.new("L", (9, 50), 100).save(tmp_path / "test" / name / "0.png")
    red = tmp_path / "train" / "a" / "red.bmp"
    Image.new("RGB", (90, 60), (255, 0, 0)).save(red)
    clear = Image.new("RGBA", (28, 28), (255, 255, 255, 0))
    clear.paste((200, 200, 200, 255), (0, 0, 14, 28))
    clear.save(tmp_path / "train" / "b" / "clear.png")
    ((images, _),) = load_arrays(str(tmp_path), splits=["train"], channels=1, size=28)
    assert images.shape == (2, 28, 28)
    assert set(images[0].flatten()) == {76}  # ITU-R 601-2: 0.299 of 255
    assert (images[1, 0, 0], images[1, 0, 27]) == (200, 0)


def test_one_folder_is_divided_by_class_and_the_same_wherever_it_lies(tmp_path: Path) -> None:
    write_pictures(tmp_path / "here", ("a", "b", "c"), 10)
    shutil.copytree(tmp_path / "here", tmp_path / "moved")
    here, moved = (open_folder(str(tmp_path / name)) for name in ("here", "moved"))
    assert Counter(here.labels["test"]) == {0: 2, 1: 2, 2: 2}
    assert Counter(here.labels["train"]) == {0: 8, 1: 8, 2: 8}
    for split in ("train", "test"):
        names = [[file.relative_to(of.path) for file in of.files[split]] for of in (here, moved)]
        assert names[0] == names[1]
    assert not set(here.files["train"]) & set(here.files["test"])
    assert "a fifth of each class" in here.title
    assert here.digest() == moved.digest()


def test_a_changed_data_set_never_mixes_with_runs_before(tmp_path: Path) -> None:
    arrays = some_arrays()
    folder = str(write_idx(tmp_path / "mine", arrays))

    def keys() -> set[str]:
        (jobs,) = plan(["linear"], ["default"], 2, dataset=folder).entries()
        return {job.key for job in jobs}

    before = keys()
    assert keys() == before
    arrays[2] = arrays[2] ^ 1
    write_idx(tmp_path / "mine", arrays)
    assert not keys() & before
    assert identify_dataset("silhouettes") == ""


@pytest.mark.slow
def test_it_is_compared_with_as_many_classes_as_it_has(tmp_path: Path) -> None:
    from fashionbench.models.checkpoint import load_model

    arrays, out = some_arrays(), tmp_path / "runs"
    folder = str(write_idx(tmp_path / "mine", arrays))
    result = compare(["v0", "lenet"], seeds=1, dataset=folder, out=out, **QUICK)
    assert result.test_set.title == "mine"
    assert result.test_set.classes == ("0", "1", "2")
    run = result.entries[0].runs[0]
    assert np.shape(run.scores.confusion) == (3, 3)
    assert "mine" in (out / "report.html").read_text("utf-8")
    (checkpoint,) = (out / "checkpoints").glob("v0*mine*.safetensors")
    assert load_model(checkpoint).layer_stack[-1].out_features == 3
    # An export needs the test images that the run folder holds, not the folder of the data.
    (tmp_path / "mine").rename(tmp_path / "moved")
    made = export_model(checkpoint, "torch-export", tmp_path / "exported.pt2")
    assert made.images == len(arrays[2])
    assert "trained on mine\n" in made.card.read_text("utf-8")
    (tmp_path / "moved").rename(tmp_path / "mine")
    # Back to content that has been run: its own test images are shown again.
    other = [arrays[0], arrays[1], arrays[2] ^ 255, arrays[3]]
    write_idx(tmp_path / "mine", other)
    compare(["v0"], seeds=1, dataset=folder, out=out, **QUICK)
    write_idx(tmp_path / "mine", arrays)
    again = compare(["v0"], seeds=1, dataset=folder, out=out, **QUICK)
    np.testing.assert_array_equal(again.test_set.images, arrays[2])


def test_a_model_for_ten_classes_alone_is_told_how_many_are_needed(tmp_path: Path) -> None:
    folder = str(write_idx(tmp_path / "mine", some_arrays()))
    path = tmp_path / "net.py"
    path.write_text(
        "from torch import nn\n"
        "def build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))\n"
    )
    with pytest.raises(UsageError, match=r"with \(2, 10\); it must be \(2, 3\).*last layer"):
        compare([f"{path}:build"], seeds=1, dataset=folder, out=tmp_path / "runs", **QUICK)


def test_samples_and_augmentations_are_drawn_of_few_images_too(tmp_path: Path) -> None:
    folder = str(write_idx(tmp_path / "mine", some_arrays()))
    write_samples(folder, None, tmp_path / "samples.png")
    recipe = load_recipe("default").override(augmentation="flip", mixing="mixup")
    write_augmentations(recipe, folder, None, tmp_path / "changes.png")
    for name in ("samples", "changes"):
        with Image.open(tmp_path / f"{name}.png") as drawn:
            assert drawn.width > 100


def no_class(folder: Path) -> None:
    (folder / "train").mkdir()


def a_class_in_one_split(folder: Path) -> None:
    write_pictures(folder / "train", ("a", "b"), 2)
    write_pictures(folder / "test", ("a",), 2)


def an_empty_class(folder: Path) -> None:
    write_pictures(folder, ("a", "c"), 3)
    (folder / "b").mkdir()


def a_broken_picture(folder: Path) -> None:
    write_pictures(folder, ("a", "b"), 3)
    (folder / "b" / "0.png").write_bytes(b"no picture")


def one_class(folder: Path) -> None:
    write_pictures(folder, ("a",), 3)


def idx_of(change: int, array: np.ndarray):
    def write(folder: Path) -> None:
        arrays = some_arrays()
        arrays[change] = array
        write_idx(folder, arrays)

    return write


def absent_labels(folder: Path) -> None:
    write_idx(folder, some_arrays())
    (folder / NAMES[3]).unlink()


def cut_short(folder: Path) -> None:
    write_idx(folder, some_arrays(), packed=True)
    path = folder / f"{NAMES[0]}.gz"
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (no_class, "no folder .*test; a data set is train/CLASS"),
        (a_class_in_one_split, "only one of them has b"),
        (a_broken_picture, r"0\.png is not a picture of a known format"),
        (an_empty_class, "b holds no pictures; add some"),
        (one_class, "holds 1 class; there must be 2 to 256"),
        (idx_of(1, np.arange(9, dtype=np.uint8) % 3), "24 images, .* 9 labels"),
        (idx_of(3, np.zeros(12, np.uint8)), "has no test image of 1, 2; add some"),
        (absent_labels, "lacks t10k-labels-idx1-ubyte"),
        (cut_short, "train-images-idx3-ubyte.gz is no IDX file"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_is_told_in_a_sentence(write, message: str, tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(DataError, match=message) as refusal:
        load_data(str(tmp_path))
    assert "\n" not in str(refusal.value)


def test_all_pictures_that_cannot_be_read_are_told_at_once(tmp_path: Path) -> None:
    write_pictures(tmp_path / "train", ("a", "b"), 9)
    write_pictures(tmp_path / "test", ("a", "b"), 2)
    broken = [*sorted((tmp_path / "train" / "a").iterdir())[:7], tmp_path / "test" / "b" / "1.png"]
    for path in broken[1:3]:
        path.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"Nor can these be used: train/a/2\.png") as refusal:
        load_data(str(tmp_path))
    assert str(refusal.value).count(".png") == 2
    for path in broken:
        path.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r": train/a/1\.png, .*, train/a/5\.png, 2 more\."):
        load_data(str(tmp_path))


def test_a_folder_that_is_not_there_is_told_with_the_layouts() -> None:
    with pytest.raises(DataError, match=r"no folder nowhere/; give one that holds train/CLASS"):
        identify_dataset("nowhere/")
