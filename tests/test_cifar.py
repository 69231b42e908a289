"""CIFAR in torchvision's layout, compared with torchvision's reader; nothing in it is run."""

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision
from torchvision.transforms.functional import pil_to_tensor

from fashionbench.data.cifar import open_cifar
from fashionbench.data.datasets import describe, identify_dataset, load_data
from fashionbench.errors import DataError

FILES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
NAMES = ["airplane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))


@pytest.fixture
def cifar10(tmp_path: Path) -> Path:
    """Twenty images a file, under the root that torchvision is given."""
    rng, folder = np.random.default_rng(0), tmp_path / "cifar-10-batches-py"
    for name in FILES:
        data = rng.integers(0, 256, (20, 3072), np.uint8)
        write(folder / name, {"data": data, "labels": [*range(10)] * 2, "batch_label": name})
    write(folder / "batches.meta", {"label_names": NAMES, "num_vis": 3072})
    return tmp_path


def test_images_and_labels_are_torchvisions(cifar10: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = torchvision.datasets.CIFAR10
    folder = cifar10 / theirs.base_folder
    sums = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in FILES}
    monkeypatch.setattr(theirs, "train_list", [[name, sums[name]] for name in FILES[:5]])
    monkeypatch.setattr(theirs, "test_list", [["test_batch", sums["test_batch"]]])
    meta = hashlib.md5((folder / "batches.meta").read_bytes()).hexdigest()
    monkeypatch.setattr(theirs, "meta", theirs.meta | {"md5": meta})
    for where in (cifar10, folder):
        data = load_data(str(where))
        for split, train in ((data.train, True), (data.test, False)):
            expected = theirs(str(cifar10), train=train)
            assert len(split) == len(expected)
            for image, label, (picture, target) in zip(
                split.images, split.labels, expected, strict=True
            ):
                assert (image == pil_to_tensor(picture)).all()
                assert label == target
        assert data.classes == (*NAMES,)
        assert data.title == "CIFAR-10, 32x32 in color"
    assert "100 training and 20 test images, 32x32 in color" in str(describe(str(cifar10)))


def test_the_hundred_classes_are_the_fine_ones(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-100-python"
    for name in ("train", "test"):
        data = np.zeros((100, 3072), np.uint8)
        labels = {"fine_labels": [*range(100)], "coarse_labels": [0] * 100}
        write(folder / name, {"data": data} | labels)
    write(folder / "meta", {"fine_label_names": [f"kind {k}" for k in range(100)]})
    data = load_data(str(tmp_path), channels=1, size=28)
    assert (len(data.classes), data.train.images.shape) == (100, (100, 28, 28))
    assert data.title == "CIFAR-100"


def test_another_content_is_another_data_set(cifar10: Path) -> None:
    before = identify_dataset(str(cifar10))
    data = {"data": np.ones((20, 3072), np.uint8), "labels": [*range(10)] * 2}
    write(cifar10 / "cifar-10-batches-py" / "test_batch", data)
    assert identify_dataset(str(cifar10)) != before


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("executed"),)


def test_nothing_in_a_file_is_executed(
    cifar10: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(cifar10 / "cifar-10-batches-py" / "test_batch", {"data": Payload()})
    with pytest.raises(DataError, match=r"test_batch cannot be read \(it calls "):
        load_data(str(cifar10))
    assert not Path("executed").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"data": np.zeros((3, 3072), np.uint8), "labels": [0, 1]}, "images and labels do not"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [0, 10]}, "images and labels do not"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [0, 256]}, "is no file of CIFAR-10"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [0, -1]}, "is no file of CIFAR-10"),
        ({"data": np.zeros((2, 5), np.uint8), "labels": [0, 1]}, "is no file of CIFAR-10"),
        ({"labels": [0, 1]}, "is no file of CIFAR-10"),
        ([1, 2], "holds no dict of arrays"),
    ],
)
def test_what_is_wrong_is_told(content: Any, message: str, cifar10: Path) -> None:
    write(cifar10 / "cifar-10-batches-py" / "data_batch_2", content)
    with pytest.raises(DataError, match=f"data_batch_2 {message}|data_batch_2 .*{message}"):
        load_data(str(cifar10))


def test_a_class_without_an_image_is_told(cifar10: Path) -> None:
    few = {"data": np.zeros((9, 3072), np.uint8), "labels": [*range(9)]}
    write(cifar10 / "cifar-10-batches-py" / "test_batch", few)
    with pytest.raises(DataError, match="has no test image of truck; fetch the whole of CIFAR-10"):
        describe(str(cifar10))


def test_a_file_that_lacks_is_named(cifar10: Path, tmp_path: Path) -> None:
    (cifar10 / "cifar-10-batches-py" / "data_batch_4").unlink()
    with pytest.raises(DataError, match="lacks data_batch_4 of CIFAR-10"):
        open_cifar(cifar10)
    assert open_cifar(tmp_path / "elsewhere") is None
