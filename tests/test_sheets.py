"""Sheets show the images that they are given, each under its caption."""

from dataclasses import replace

import numpy as np
import pytest
from factories import CLASSES, IMAGES, LABELS, make_result

from fashionbench.experiments.result import Result
from fashionbench.report.sheets import plot_augmentations, plot_hard_images, plot_samples


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return make_result(tmp_path_factory.mktemp("plots"))


def test_the_hardest_images_come_first(result: Result) -> None:
    entries = [(entry.model, entry.runs) for entry in result.entries]
    figure = plot_hard_images(entries, result.test_set, count=5)
    wrong = sum(
        (run.predicted != LABELS).astype(int) for entry in result.entries for run in entry.runs
    )
    counts = [int(text.get_text().split("\n")[2].split()[0]) for text in figure.axes[0].texts]
    assert counts == sorted(wrong, reverse=True)[:5]


def test_images_that_no_run_misses_are_not_hard(result: Result) -> None:
    perfect = [replace(run, predicted=result.test_set.labels) for run in result.entries[0].runs]
    assert not plot_hard_images([("perfect", perfect)], result.test_set).axes[0].images


def test_samples_are_ten_of_each_class() -> None:
    figure = plot_samples(IMAGES, LABELS, CLASSES, "A set")
    sheet = figure.axes[0].images[0].get_array()
    cells = sheet.reshape(10, -1, 10, sheet.shape[1] // 10).swapaxes(1, 2)
    np.testing.assert_array_equal(cells[1, :, -28:, :28], IMAGES[LABELS == 1][:10])
    assert [text.get_text() for text in figure.axes[0].texts if text.get_text()] == [*CLASSES]
    assert "A set" in figure.axes[0].get_title(loc="left")


def test_each_augmentation_has_a_row_that_begins_with_the_image_as_it_was() -> None:
    rows = [("flip:0.5", IMAGES[:4]), ("shift:2", IMAGES[4:8])]
    figure = plot_augmentations(rows, "default")
    captions = [text.get_text() for text in figure.axes[0].texts]
    assert captions == ["original", "flip:0.5", "", "", "", "shift:2", "", ""]
    sheet = figure.axes[0].images[0].get_array()
    cells = sheet.reshape(2, -1, 4, sheet.shape[1] // 4).swapaxes(1, 2)
    np.testing.assert_array_equal(cells[1, :, -28:, :28], IMAGES[4:8])
