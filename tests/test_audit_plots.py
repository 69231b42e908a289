"""The plots and pictures of an audit show the numbers and images that they are given."""

import numpy as np

from fashionbench.report.audit_document import DoublePair, DoublesFound
from fashionbench.report.audit_plots import plot_distances, plot_pairs


def found() -> DoublesFound:
    steps = [
        {"above": k, "up_to": k + 1, "same_label": 10 * k, "other_label": k} for k in range(16)
    ]
    return DoublesFound.model_validate(
        {
            "threshold": 12,
            "limit": 16,
            "counts": [],
            "distances": steps,
            "images": 0,
            "groups": 0,
            "largest_group": 0,
            "test_images_known": 0,
            "pairs": [],
        }
    )


def test_the_plot_of_distances_has_both_counts_and_the_threshold() -> None:
    (axes,) = plot_distances(found(), "a title").axes
    same, other = (step.get_data().values.tolist() for step in axes.patches)
    assert same == [10 * k for k in range(16)]
    assert other == [*range(16)]
    assert axes.lines[0].get_xdata()[0] == 12


def test_the_two_images_of_a_pair_stand_side_by_side() -> None:
    rng = np.random.default_rng(0)
    pictures = {name: rng.integers(0, 256, (3, 28, 28), np.uint8) for name in ("train", "test")}
    pair = DoublePair.model_validate(
        {
            "a": {"split": "train", "position": 1, "label": "bag", "file": None},
            "b": {"split": "test", "position": 2, "label": "boot", "file": None},
            "kind": "near",
            "distance": 7.25,
            "down": 0,
            "right": -1,
            "is_mirrored": True,
        }
    )
    (axes,) = plot_pairs([pair], pictures, "").axes
    assert axes.texts[0].get_text() == (
        "train 1: bag\ntest 2: boot\n7.2 grey levels, mirrored, moved +0 -1"
    )
    shown = np.asarray(axes.images[0].get_array().filled(-1))
    rows, columns = np.nonzero(shown >= 0)
    sheet = shown[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert (sheet[:, :28] == pictures["train"][1]).all()
    assert (sheet[:, -28:] == pictures["test"][2]).all()
