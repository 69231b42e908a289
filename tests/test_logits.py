"""Pixels and logits, against torchvision and images asked one by one."""

import numpy as np
import torch
from torch import nn
from torchvision.transforms.functional import to_tensor

from fashionbench.core.logits import infer, pixels
from fashionbench.data.split import Split
from fashionbench.models.adapter import Adapter
from fashionbench.models.build import build_model


def test_pixels_are_those_of_torchvisions_to_tensor(few: Split) -> None:
    expected = torch.stack([to_tensor(image.numpy()) for image in few.images[:20]])
    assert torch.equal(pixels(few.images[:20]), expected)


def test_every_image_is_scored_once_whatever_the_batches(silhouettes) -> None:
    model = build_model("v0")
    images = silhouettes.train.images[:2345]
    with torch.no_grad():
        expected = torch.cat([model(pixels(image[None])) for image in images]).numpy()
    np.testing.assert_allclose(infer(model, images), expected, atol=1e-5)


def test_a_model_that_enlarges_images_is_given_fewer_at_once() -> None:
    seen: list[tuple[int, ...]] = []

    class Watching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(tuple(images.shape))
            return images.mean(dim=(1, 2, 3))[:, None] * self.weight

    images = torch.zeros(40, 28, 28, dtype=torch.uint8)
    infer(Adapter(Watching(), channels=3, side=224), images)
    most = 1000 * 28 * 28 // 224**2
    assert {shape[1:] for shape in seen} == {(3, 224, 224)}
    assert sum(shape[0] for shape in seen) == 40
    assert max(shape[0] for shape in seen) == most


def test_views_are_averaged() -> None:
    class Looks(torch.nn.Module):
        """Its logits are what it sees at three places."""

        def __init__(self) -> None:
            super().__init__()
            self.unused = torch.nn.Parameter(torch.zeros(1))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            row = images[:, 0, 5, :].clone()
            images.zero_()  # as a net that scales its images in place
            return row

    images = torch.randint(0, 256, (3, 28, 28), dtype=torch.uint8)
    seen = images.double() / 255

    def at(down: int, row: torch.Tensor) -> torch.Tensor:
        return row.roll((down, down), (-2, -1))[:, 5]

    torch.testing.assert_close(torch.tensor(infer(Looks(), images)).double(), at(0, seen))
    both = (at(0, seen) + seen.flip(-1)[:, 5]) / 2
    torch.testing.assert_close(torch.tensor(infer(Looks(), images, "flip")).double(), both)
    moved = [seen.clone() for _ in range(3)]
    moved[1] = torch.zeros_like(seen)
    moved[1][:, 1:, 1:] = seen[:, :-1, :-1]  # black moves in
    moved[2] = torch.zeros_like(seen)
    moved[2][:, :-1, :-1] = seen[:, 1:, 1:]
    six = torch.stack([x[:, 5] for view in moved for x in (view, view.flip(-1))]).mean(0)
    torch.testing.assert_close(torch.tensor(infer(Looks(), images, "shifts")).double(), six)
