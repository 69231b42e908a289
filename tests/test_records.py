"""What a record says of its run."""

from dataclasses import replace

from factories import make_record


def test_the_validation_accuracy_is_that_of_the_weights_that_were_tested() -> None:
    curve = [(1, 1.0, 0.1), (2, 1.0, 0.2), (3, 1.0, 0.3)]
    record = replace(make_record(), epochs=3, validation_curve=curve)
    assert record.validation_accuracy == 0.3
    assert replace(record, best_epoch=2).validation_accuracy == 0.2
    assert make_record().validation_accuracy is None
