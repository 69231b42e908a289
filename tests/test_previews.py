"""The pictures that commands draw by themselves."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from fashionbench.cli import previews
from fashionbench.cli.previews import write_augmentations, write_samples, write_schedule
from fashionbench.config.augmentations import MIXINGS
from fashionbench.config.recipe import load_recipe
from fashionbench.errors import StoreError, UsageError
from fashionbench.training.mixing import mix

DEFAULT = load_recipe("default")


def ink(path: Path) -> float:
    """The share of pixels that are not the background."""
    return float((np.asarray(Image.open(path).convert("L")) < 250).mean())


@pytest.mark.slow
def test_samples_schedule_and_augmentations_are_drawn(tmp_path: Path) -> None:
    write_samples("silhouettes", None, tmp_path / "samples.png")
    write_schedule(DEFAULT.override(schedule="cosine"), tmp_path / "schedule.png")
    recipe = DEFAULT.override(augmentation="flip,rotate:20,noise", mixing="cutmix")
    write_augmentations(recipe, "silhouettes", None, tmp_path / "changes.png")
    assert ink(tmp_path / "samples.png") > 0.3
    assert 0.005 < ink(tmp_path / "schedule.png") < 0.2
    assert ink(tmp_path / "changes.png") > 0.3


@pytest.mark.slow
def test_images_are_mixed_as_strongly_as_in_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strengths = []

    def watched(name: str, images: Tensor, others: Tensor, uniform: Tensor, strength: float) -> Any:
        strengths.append(strength)
        return mix(name, images, others, uniform, strength)

    monkeypatch.setattr("fashionbench.training.mixing.mix", watched)
    for mixing in ("mixup:0.3", "mixup"):
        write_augmentations(
            DEFAULT.override(mixing=mixing), "silhouettes", None, tmp_path / "changes.png"
        )
    assert set(strengths) == {0.3, MIXINGS["mixup"].strength}


def test_a_recipe_without_epochs_has_no_schedule(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="default has 0 epochs, so no learning rate to draw"):
        write_schedule(DEFAULT.override(epochs=0), tmp_path / "schedule.png")


def test_a_recipe_without_augmentation_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="default leaves images as they are; add some"):
        write_augmentations(DEFAULT, "silhouettes", None, tmp_path / "changes.png")


def test_an_augmentation_of_ones_own_that_is_no_good_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def mine(images, uniform, strength): return images[0]\n")
    with pytest.raises(UsageError, match=r"mine.py:mine answers .* with \(1, 28, 28\)"):
        write_augmentations(
            DEFAULT.override(augmentation=f"{path}:mine"), "silhouettes", None, tmp_path / "c.png"
        )


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        write_schedule(DEFAULT, tmp_path / "file" / "schedule.png")


def test_what_mirrors_is_shown_on_an_image_whose_sides_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[list[tuple[str, np.ndarray]]] = []
    plot = previews.plot_augmentations

    def note(rows, title):
        drawn.append(rows)
        return plot(rows, title)

    monkeypatch.setattr(previews, "plot_augmentations", note)
    recipe = DEFAULT.override(augmentation="noise,flip,pair")
    write_augmentations(recipe, "silhouettes", None, tmp_path / "changes.png")
    noise, flip, pair, _ = (images[0] for _, images in drawn[0])

    def unlike(image: np.ndarray) -> float:
        return float(np.abs(image.astype(float) - image[:, ::-1]).mean())

    assert unlike(flip) > 2 * unlike(noise)
    np.testing.assert_array_equal(flip, pair)
