"""Files of MNIST's kin: found by their many names, and read as torchvision reads them."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from fashionbench.data.datasets import load_data
from fashionbench.data.folders import open_folder
from fashionbench.data.idx import find_idx, read_idx
from fashionbench.errors import DataError

LABELS = {"train": np.arange(24) % 3, "test": np.arange(12) % 3}


def packed(array: np.ndarray) -> bytes:
    head = struct.pack(f">{1 + array.ndim}i", 0x0800 + array.ndim, *array.shape)
    return head + array.astype(np.uint8).tobytes()


def content_of(name: str, labels: dict[str, np.ndarray] = LABELS) -> bytes:
    of_split = labels["train" if "train" in name.lower() else "test"]
    rng = np.random.default_rng(len(of_split))
    images = rng.integers(0, 256, (len(of_split), 28, 28))
    content = packed(images if "images" in name.lower() else of_split)
    return gzip.compress(content) if name.endswith("gz") else content


def written(folder: Path, pattern: str, labels: dict[str, np.ndarray] = LABELS) -> Path:
    """Four files, called by what `pattern` makes of split, kind and dimensions."""
    folder.mkdir(exist_ok=True)
    test = "test" if "emnist" in pattern else "t10k"
    for split in ("train", test):
        for kind, dimensions in (("images", 3), ("labels", 1)):
            name = pattern.format(split=split, kind=kind, n=dimensions)
            (folder / name).write_bytes(content_of(name, labels))
    return folder


PATTERNS = [
    "{split}-{kind}-idx{n}-ubyte",
    "{split}-{kind}-idx{n}-ubyte.gz",
    "{split}-{kind}.idx{n}-ubyte",
    "{split}-{kind}.idx{n}-ubyte.gz",
    "emnist-letters-{split}-{kind}-idx{n}-ubyte",
    "emnist-letters-{split}-{kind}-idx{n}-ubyte.gz",
    "kmnist-{split}-{kind}.idx{n}-ubyte",
    "{split}-{kind}-IDX{n}-UBYTE",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_name_is_known(pattern: str, tmp_path: Path) -> None:
    folder = written(tmp_path / "mine", pattern)
    # What macOS and file managers leave is no part of it.
    name = pattern.format(split="train", kind="images", n=3)
    (folder / f"._{name}").write_bytes(b"\0\5\x16\7")
    (folder / "__MACOSX").mkdir()
    (folder / "emnist-letters-mapping.txt").write_text("1 65 97\n")
    data = load_data(str(folder))
    assert data.classes == ("0", "1", "2")
    assert data.title == "mine"
    assert data.train.labels.tolist() == LABELS["train"].tolist()
    images = np.frombuffer(content_of("train-images"), np.uint8, offset=16)
    assert data.train.images.numpy().tobytes() == images.tobytes()


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_torchvision_reads_the_same(name: str, tmp_path: Path) -> None:
    from torchvision.datasets.mnist import read_image_file, read_label_file

    (tmp_path / name).write_bytes(content_of(name))
    read = read_image_file if "images" in name else read_label_file
    found = read_idx(tmp_path / name, 3 if "images" in name else 1)
    np.testing.assert_array_equal(found, read(str(tmp_path / name)).numpy())


@pytest.mark.parametrize(
    "values", [range(1, 27), (0, 2, 5), (7, 3), (254, 255), range(10), (0, *range(100, 180))]
)
def test_labels_of_any_numbers_are_the_names_of_classes(values, tmp_path: Path) -> None:
    labels = {split: np.array([*values] * count) for split, count in (("train", 3), ("test", 2))}
    data = load_data(str(written(tmp_path, PATTERNS[0], labels)))
    assert data.classes == tuple(map(str, sorted(values)))
    for split, found in (("train", data.train), ("test", data.test)):
        named = [int(data.classes[label]) for label in found.labels.tolist()]
        assert named == labels[split].tolist()


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_label_of_one_split_alone_is_told(split: str, tmp_path: Path) -> None:
    labels = LABELS | {split: np.append(LABELS[split], 9)}
    other = "test" if split == "train" else "train"
    with pytest.raises(DataError, match=f"has no {other} image of 9; add some"):
        open_folder(str(written(tmp_path, PATTERNS[0], labels)))


def test_the_same_plain_and_packed_is_one(tmp_path: Path) -> None:
    for pattern in PATTERNS[:4]:
        written(tmp_path, pattern)
    assert {len(pair) for pair in find_idx(tmp_path).values()} == {2}
    assert len(load_data(str(tmp_path)).train) == 24


@pytest.mark.parametrize(
    "other",
    [
        "train-images-idx3-ubyte.gz",
        "train-images.idx3-ubyte",
        "t10k-labels-idx1-ubyte.gz",
        "test-labels-idx1-ubyte",
        "TRAIN-labels-idx1-ubyte.gz",
    ],
)
def test_files_for_one_thing_with_different_content_are_refused(other: str, tmp_path: Path) -> None:
    written(tmp_path, PATTERNS[0])
    changed = {split: labels[::-1] for split, labels in LABELS.items()}
    content = bytearray(content_of(other.removesuffix(".gz"), changed))
    content[-1] ^= 1
    (tmp_path / other).write_bytes(gzip.compress(content) if ".gz" in other else content)
    with pytest.raises(DataError, match="hold different content; take away the one") as refusal:
        open_folder(str(tmp_path))
    assert other in str(refusal.value)


def test_files_of_several_data_sets_are_refused(tmp_path: Path) -> None:
    for name in ("letters", "digits"):
        written(tmp_path, f"emnist-{name}-{{split}}-{{kind}}-idx{{n}}-ubyte")
    with pytest.raises(DataError, match=r"2 data sets .emnist-digits-, emnist-letters-.; put"):
        open_folder(str(tmp_path))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_lacks_is_told_by_its_name(pattern: str, tmp_path: Path) -> None:
    written(tmp_path, pattern)
    missing = tmp_path / pattern.format(split="train", kind="labels", n=1)
    missing.unlink()
    with pytest.raises(DataError, match=r"lacks (\w+-)*train-labels-idx1-ubyte \(or the same"):
        open_folder(str(tmp_path))
