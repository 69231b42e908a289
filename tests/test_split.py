"""Validation and fewer training images are chosen by class alike, the same for every model."""

import hashlib
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fashionbench.data.split import Dataset, Split, deal_anew, hold_out
from fashionbench.errors import UsageError


def numbered(labels: list[int]) -> Split:
    """A split in which each image is its own position."""
    images = torch.arange(len(labels)).to(torch.uint8).view(-1, 1, 1).expand(-1, 28, 28)
    return Split(images, torch.tensor(labels))


def positions(split: Split) -> list[int]:
    return split.images[:, 0, 0].tolist()


def test_a_data_set_is_shown_in_words_and_without_its_pixels() -> None:
    split = numbered([0, 1] * 600)
    assert repr(split) == "Split(1,200 images on cpu)"
    dataset = Dataset("mine/", "Mine", ("cat", "dog"), split, split)
    assert "train=Split(1,200 images on cpu)" in repr(dataset)
    assert "tensor" not in repr(dataset)


@given(st.lists(st.integers(0, 4), min_size=6, max_size=200), st.data())
def test_hold_out_divides_by_class_and_loses_nothing(
    labels: list[int], draw: st.DataObject
) -> None:
    classes = Counter(labels)
    count = draw.draw(st.integers(0, len(labels) - len(classes)))
    training, validation = hold_out(numbered(labels), count)
    assert len(validation) == count
    assert sorted(positions(training) + positions(validation)) == list(range(len(labels)))
    for split in (training, validation):
        assert split.labels.tolist() == [labels[position] for position in positions(split)]
    assert set(training.labels.tolist()) == set(classes)
    if count:
        held = Counter(validation.labels.tolist())
        shares = [(held[label] / size, (held[label] + 1) / size) for label, size in classes.items()]
        # No class has so much that another should have given its next image first.
        assert max(share for share, _ in shares) <= min(following for _, following in shares)


@given(st.integers(0, 90))
def test_classes_of_a_size_differ_by_one_image_at_most(count: int) -> None:
    _, validation = hold_out(numbered([*range(10)] * 10), count)
    counts = torch.bincount(validation.labels, minlength=10)
    assert counts.max() - counts.min() <= 1


def test_hold_out_goes_by_the_hash_of_the_position() -> None:
    labels = [i * i % 3 for i in range(200)]
    _, validation = hold_out(numbered(labels), 60)
    for label in set(labels):
        own = [i for i in range(200) if labels[i] == label]
        own.sort(key=lambda i: hashlib.blake2b(str(i).encode(), digest_size=8).hexdigest())
        held = [i for i in positions(validation) if labels[i] == label]
        assert sorted(held) == sorted(own[: len(held)])


def test_no_validation_images_leave_the_training_images_as_they_are() -> None:
    split = numbered([0, 1, 0, 1])
    training, validation = hold_out(split, 0)
    assert training is split
    assert (len(validation), validation.images.shape) == (0, (0, 28, 28))


@pytest.mark.parametrize("count", [-1, 9, 10, 1_000])
def test_every_class_keeps_an_image_to_train_on(count: int) -> None:
    with pytest.raises(UsageError, match=f"^{count} validation images .* of 10; 0 to 8 leave"):
        hold_out(numbered([0, 1] * 5), count)


# Training on fewer images


@given(st.integers(5, 60), st.integers(0, 35))
def test_fewer_training_images_are_alike_by_class_and_part_of_more(count: int, held: int) -> None:
    split = numbered([*range(5)] * 20)
    training, validation = hold_out(split, held, count)
    assert (len(training), len(validation)) == (count, held)
    counts = torch.bincount(training.labels, minlength=5)
    assert counts.min() >= 1
    assert counts.max() - counts.min() <= 1
    more, _ = hold_out(split, 0, count + 5)
    assert set(positions(training)) < set(positions(more))
    assert not set(positions(training)) & set(positions(validation))
    assert positions(validation) == positions(hold_out(split, held)[1])


@pytest.mark.parametrize("count", [1, 9])
def test_as_many_training_images_as_there_are_classes_and_images(count: int) -> None:
    with pytest.raises(UsageError, match=f"^train_images is {count}, but should be 2 to 8:"):
        hold_out(numbered([0, 1] * 5), 2, count)


def test_splits_are_dealt_anew_by_class_and_lose_nothing() -> None:
    train, test = numbered([0, 1, 2] * 40 + [0] * 20), numbered([0, 1] * 15 + [2] * 5)
    test = Split(test.images + len(train), test.labels)
    dataset = Dataset("mine/", "Mine", ("a", "b", "c"), train, test)
    assert deal_anew(dataset, 0) is dataset
    dealt = [deal_anew(dataset, split) for split in (1, 2)]
    before_labels = [*train.labels.tolist(), *test.labels.tolist()]
    for found in dealt:
        for part, before in ((found.train, train), (found.test, test)):
            assert Counter(part.labels.tolist()) == Counter(before.labels.tolist())
        images = torch.cat([found.train.images, found.test.images])[:, 0, 0].tolist()
        assert sorted(images) == list(range(len(train) + len(test)))
        labels = [*found.train.labels.tolist(), *found.test.labels.tolist()]
        assert {*zip(images, labels, strict=True)} == {*enumerate(before_labels)}
        # Neither side is what it was, and images come from both.
        assert 0 < sum(position < len(train) for position in positions(found.test)) < len(test)
    assert positions(dealt[0].test) != positions(dealt[1].test)
    # By hand: of class c those five with the smallest hashes are tested.
    of_c = [i for i, label in enumerate(before_labels) if label == 2]
    chosen = sorted(of_c, key=lambda i: hashlib.blake2b(b"1 %d" % i, digest_size=8).digest())[:5]
    assert sorted(chosen) == [i for i in positions(dealt[0].test) if i in of_c]
