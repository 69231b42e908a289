"""A person's own augmentations: known by their sources, and refused in a sentence."""

from pathlib import Path

import pytest
import torch

from fashionbench.data.split import Split
from fashionbench.errors import UsageError
from fashionbench.experiments.comparison import plan
from fashionbench.training.batches import epoch_batches
from fashionbench.training.own_augmentations import identify_augmentations


def test_editing_an_own_augmentation_makes_other_runs_of_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"

    def key_and_images(content: str) -> tuple[str, torch.Tensor]:
        path.write_text(f"def mine(images, uniform, strength): return {content}\n")
        augmentation = f"{path}:mine:2"
        study = plan(["v0"], ["default"], 1, dataset="silhouettes", augmentation=augmentation)
        ((job,),) = study.entries()
        split = Split(torch.full((4, 28, 28), 255, dtype=torch.uint8), torch.arange(4))
        (batch,) = epoch_batches(split, job.recipe, [0], 0)
        return job.key, batch.images

    first, halved = key_and_images("images / strength")
    second, same = key_and_images("images / 1")
    again, _ = key_and_images("images / strength")
    assert first == again != second
    assert halved.unique().tolist() == [0.5]
    assert same.unique().tolist() == [1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("images[:, 0]", r"answers \(4, 1, 28, 28\) images with \(4, 28, 28\)"),
        ("3", "with int; it must give back as many"),
        ("images @ uniform", r"mine.py, line 2: .*\(B, 4\) uniform random numbers"),
        ("images / 0", "not finite"),
        ("images * torch.rand(()).item()", "so it draws numbers itself"),
        ("images * random.random()", "so it draws numbers itself"),
        ("images * numpy.random.rand()", "so it draws numbers itself"),
        ("images - images.mean(0)", "when other images are beside it"),
        ("images.flip(0)", "when other images are beside it"),
    ],
)
def test_what_is_wrong_with_an_own_augmentation_is_told(
    content: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import random; import numpy; import torch\n"
        f"def mine(images, uniform, strength): return {content}\n"
    )
    with pytest.raises(UsageError, match=says):
        identify_augmentations([f"{path}:mine"])
    with pytest.raises(UsageError, match="no class or function 'his'"):
        identify_augmentations([f"{path}:his"])
    assert identify_augmentations(["flip"]) == ""
