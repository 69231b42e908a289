"""Training and test images are told apart where they differ, and not where chance dealt them."""

import pytest
import torch
from factories import CPU

from fashionbench.data.split import Dataset, Split
from fashionbench.experiments.audit.telling import tell_apart
from fashionbench.experiments.planning import plan


@pytest.fixture
def data(silhouettes: Dataset) -> Dataset:
    """1,200 + 400 images, dealt by chance."""
    train = Split(silhouettes.train.images[:1200], silhouettes.train.labels[:1200])
    test = Split(silhouettes.test.images[:400], silhouettes.test.labels[:400])
    return Dataset("silhouettes", "few", silhouettes.classes, train, test)


def jobs(epochs: int):
    return next(plan("mlp", "judge", 1, dataset="silhouettes", epochs=epochs).entries())


def test_a_split_by_chance_is_not_told_apart(data: Dataset) -> None:
    found = tell_apart(jobs(10), data, CPU)
    assert found is not None
    assert found.low < 0.5 < found.high
    assert found.high - found.low < 0.15
    assert found.images == 800


def test_test_images_that_are_brighter_are_told_apart(data: Dataset) -> None:
    brighter = Split((data.test.images // 2 + 60).to(torch.uint8), data.test.labels)
    changed = Dataset(data.name, data.title, data.classes, data.train, brighter)
    found = tell_apart(jobs(10), changed, CPU)
    assert found is not None
    assert found.low > 0.9


def test_few_test_images_are_not_told_apart(data: Dataset) -> None:
    few = Split(data.test.images[:40], data.test.labels[:40])
    assert tell_apart(jobs(1), Dataset(data.name, "", data.classes, data.train, few), CPU) is None
