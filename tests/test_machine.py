"""The machine, as torch sees it too."""

import sys

import pytest
import torch

from fashionbench.core.machine import processor


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_the_processor_is_named_with_its_widest_vectors() -> None:
    names = {"AVX512": "AVX-512", "AVX2": "AVX2"}
    capability = torch.backends.cpu.get_cpu_capability()
    if capability not in names:
        pytest.skip("a processor of another kind")
    assert processor().endswith(f", {names[capability]}")
