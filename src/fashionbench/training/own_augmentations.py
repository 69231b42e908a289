"""A person's own augmentations: found in their files, tried before use, identified by sources."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from fashionbench.config.augmentations import AUGMENTATIONS, parse_augmentation
from fashionbench.core.global_state import seeded
from fashionbench.core.own_code import describe_error, importable_neighbours, locate
from fashionbench.core.own_source import digest_source, digest_values, global_values
from fashionbench.errors import UsageError

__all__ = ["OWN_DRAWS", "find_own", "identify_augmentations"]

Augmentation = Callable[[Tensor, Tensor, float], Tensor]
"""(B, 1, H, W) images in [0, 1], (B, OWN_DRAWS) uniform numbers and a strength -> images."""

OWN_DRAWS = 4
"""Uniform numbers that a person's own augmentation is given for each image."""


@cache
def find_own(reference: str) -> Augmentation:
    """Return the function that `file.py:name` refers to; its file is run once."""
    return locate(reference)


def identify_augmentations(augmentation: Sequence[str]) -> str:
    """Digest the sources of a person's own augmentations, each tried; "" where there are none.

    Raises UsageError, in terms of the person's file and line, for one that cannot be found, answers
    with something else than as many images of the same size, or draws numbers of its own.
    """
    find_own.cache_clear()  # the files may have been edited since
    sources = []
    for text in augmentation:
        name, strength = parse_augmentation(text, AUGMENTATIONS)
        if name not in AUGMENTATIONS:
            function = find_own(name)
            with importable_neighbours(name):
                before = global_values(function)
                _try(function, name, strength)
                values = digest_values(before, global_values(function))
                sources.append(replace(digest_source(function, name), values=values))
    return "+".join(map(str, sources))


def _try(function: Augmentation, name: str, strength: float) -> None:
    """Refuse one that does not do to an image what that image and its numbers alone say."""
    with seeded(0):
        images, uniform = torch.rand(4, 1, 28, 28), torch.rand(4, OWN_DRAWS)
        try:
            answer, again = (function(images.clone(), uniform.clone(), strength) for _ in range(2))
            parts = [
                function(images[k : k + 2].clone(), uniform[k : k + 2], strength) for k in (0, 2)
            ]
        except Exception as error:
            raise UsageError(
                f"{name} cannot change images: {describe_error(error)} It is called with "
                f"(B, 1, H, W) images in [0, 1], (B, {OWN_DRAWS}) uniform random numbers "
                "and its strength."
            ) from None
    if not isinstance(answer, Tensor) or answer.shape != images.shape:
        given = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise UsageError(
            f"{name} answers (4, 1, 28, 28) images with {given}; it must give back as many of the "
            "same size."
        )
    if answer.dtype != images.dtype:
        raise UsageError(
            f"{name} answers with numbers of {answer.dtype}; give back {images.dtype} in [0, 1], "
            "as the images are."
        )
    if not answer.isfinite().all():
        raise UsageError(f"{name} answers images in [0, 1] with numbers that are not finite.")
    if not torch.equal(answer, again):
        raise UsageError(
            f"{name} changes the same images by the same numbers in another way each time, so it "
            f"draws numbers itself; take all that is random from the (B, {OWN_DRAWS}) uniform "
            "numbers that it is given, so that a seed gives the same images again."
        )
    if not torch.allclose(answer, torch.cat(parts), atol=1e-4):
        raise UsageError(
            f"{name} changes an image in another way when other images are beside it; which those "
            "are depends on how seeds run together, so let each image depend on itself alone."
        )
