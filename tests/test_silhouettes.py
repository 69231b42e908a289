"""The drawn data set: its make-up, the same everywhere, neither trivial nor hopeless."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from factories import PATIENCE
from numpy.typing import NDArray

from fashionbench.data.datasets import DATASETS
from fashionbench.data.silhouettes import SILHOUETTES, draw_silhouettes

Splits = dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]


@pytest.fixture(scope="module")
def splits() -> Splits:
    return dict(zip(("train", "test"), draw_silhouettes(), strict=True))


@pytest.mark.parametrize(("name", "count"), [("train", 600), ("test", 100)])
def test_each_class_has_its_number_in_mixed_order(name: str, count: int, splits: Splits) -> None:
    images, labels = splits[name]
    assert images.shape == (10 * count, 28, 28)
    assert images.dtype == np.uint8
    assert np.bincount(labels).tolist() == [count] * 10
    assert len(set(labels[:50].tolist())) > 5


def test_shapes_are_light_on_black_within_the_picture(splits: Splits) -> None:
    images, _ = splits["train"]
    corners = images[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 0).mean() > 0.99
    lit = (images > 0).mean((1, 2))
    assert 0.03 < lit.min() < lit.max() < 0.9
    assert images.max((1, 2)).min() > 40


def test_no_image_comes_twice(splits: Splits) -> None:
    images = np.concatenate([images for images, _ in splits.values()])
    assert len({image.tobytes() for image in images}) == len(images)


@pytest.mark.slow
def test_another_process_draws_the_same_bytes(splits: Splits) -> None:
    program = (
        "import hashlib, numpy; from fashionbench.data.silhouettes import draw_silhouettes\n"
        "numpy.random.seed(5)\n"
        "parts = [a.tobytes() for split in draw_silhouettes() for a in split]\n"
        "print(hashlib.sha256(b''.join(parts)).hexdigest())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    parts = [array.tobytes() for split in splits.values() for array in split]
    assert answer.stdout.strip() == hashlib.sha256(b"".join(parts)).hexdigest()


def test_a_linear_model_learns_much_but_not_all(splits: Splits) -> None:
    """Least squares on the pixels (ridge), solved exactly."""

    def features(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return np.column_stack([images.reshape(len(images), -1) / 255, np.ones(len(images))])

    images, labels = splits["train"]
    x = features(images)
    weights = np.linalg.solve(x.T @ x + 10 * np.eye(x.shape[1]), x.T @ np.eye(10)[labels])
    test_images, test_labels = splits["test"]
    accuracy = ((features(test_images) @ weights).argmax(1) == test_labels).mean()
    assert 0.7 < accuracy < 0.92


def test_the_names_do_not_pass_for_fashion_mnists() -> None:
    assert not set(SILHOUETTES) & set(DATASETS["fashion-mnist"].classes)
    assert all(name.startswith("drawn ") for name in SILHOUETTES)
