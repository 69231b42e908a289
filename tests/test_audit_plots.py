"""The plots and pictures of an audit show the numbers and images that they are given."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from fashionbench.report.audit.audit_document import DoublePair, DoublesFound, ImagePlace
from fashionbench.report.audit.audit_plots import name_image, plot_distances, show_pair


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


@pytest.mark.parametrize("shape", [(28, 28), (3, 28, 28)])
def test_the_two_images_of_a_pair_stand_side_by_side(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    pictures = {name: rng.integers(0, 256, (3, *shape), np.uint8) for name in ("train", "test")}
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
    card = show_pair(pair, pictures)
    assert card.lines == ["train 1: bag", "test 2: boot", "7.2 grey levels, mirrored, moved +0 −1"]
    kind, content = card.address.split(",")
    assert kind == "data:image/png;base64"
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
    if len(shape) == 3:
        shown = np.moveaxis(shown, 2, 0)
    assert (shown[..., :28] == pictures["train"][1]).all()
    assert (shown[..., -28:] == pictures["test"][2]).all()


def test_a_picture_is_named_by_its_file() -> None:
    place = {"split": "train", "position": 1, "label": "bag", "file": "bag/1.png"}
    assert name_image(ImagePlace.model_validate(place)) == "bag/1.png: bag"
