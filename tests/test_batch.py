"""A batch is cut and copied with all that belongs to its images."""

import pytest
import torch

from fashionbench.training.batch import Batch

PLAIN = Batch(torch.rand(6, 1, 2, 2), torch.arange(6))
MIXED = Batch(PLAIN.images, PLAIN.labels, PLAIN.labels.flip(0), torch.rand(6))


@pytest.mark.parametrize("batch", [PLAIN, MIXED], ids=["plain", "mixed"])
def test_parts_of_a_batch_make_the_whole(batch: Batch) -> None:
    parts = list(batch.chunk(3))
    assert [len(part.labels) for part in parts] == [2, 2, 2]
    for whole, *pieces in zip(batch.tensors(), *(part.tensors() for part in parts), strict=True):
        assert torch.equal(torch.cat(pieces), whole)
    assert all(map(torch.equal, batch.first(2).tensors(), parts[0].tensors()))


def test_a_copy_has_memory_of_its_own() -> None:
    copied = MIXED.clone()
    for tensor, original in zip(copied.tensors(), MIXED.tensors(), strict=True):
        assert torch.equal(tensor, original)
        assert tensor.data_ptr() != original.data_ptr()
