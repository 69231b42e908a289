"""What a record says of its run."""

from dataclasses import replace

import numpy as np
from factories import IMAGES, LABELS, make_record

from fashionbench.store.records import TestSet, digest_images


def test_the_validation_accuracy_is_that_of_the_weights_that_were_tested() -> None:
    curve = [(1, 1.0, 0.1), (2, 1.0, 0.2), (3, 1.0, 0.3)]
    record = replace(make_record(), epochs=3, validation_curve=curve)
    assert record.validation_accuracy == 0.3
    assert replace(record, best_epoch=2).validation_accuracy == 0.2
    assert make_record().validation_accuracy is None


def test_test_images_are_told_apart_by_every_pixel_label_and_their_shape() -> None:
    labels = LABELS.astype(np.uint8)
    known = TestSet("a", "A", ("x",), IMAGES, labels).digest
    assert known == digest_images(IMAGES.copy(), labels.astype(np.int64))
    other_images, other_labels = IMAGES.copy(), labels.copy()
    other_images[3, 4, 5] ^= 1
    other_labels[7] ^= 1
    others = [
        digest_images(other_images, labels),
        digest_images(IMAGES, other_labels),
        digest_images(IMAGES.reshape(200, 56, 14), labels),
        digest_images(IMAGES.reshape(200, 28, 7, 4), labels),
    ]
    assert len({known, *others}) == 5
