"""Choosing a device, and leaving malloc alone where the person has chosen."""

import os
import subprocess
import sys

import pytest
import torch

from fashionbench.devices import free_memory, resolve_device, synchronize
from fashionbench.errors import UsageError


def test_auto_is_cuda_if_there_is_one_else_the_cpu() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert resolve_device("auto").type == expected
    synchronize(resolve_device("auto"))


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'gpu'.*auto, cpu, cuda, mps"):
        resolve_device("gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_an_absent_device_is_refused() -> None:
    with pytest.raises(UsageError, match="no cuda device"):
        resolve_device("cuda")


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_malloc_is_left_to_a_person_who_set_it() -> None:
    program = "from fashionbench.devices import keep_freed_memory as k; print(k())"
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"MALLOC_TRIM_THRESHOLD_": "131072"},
        capture_output=True,
        text=True,
    )
    assert answer.stdout.strip() == "False", answer.stderr


def test_free_memory_is_less_than_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    assert 1 << 20 < free_memory(cpu) < 1 << 46

    def unknown(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr("os.sysconf", unknown)
    assert free_memory(cpu) == 4 << 30
