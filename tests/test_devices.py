"""Choosing a device, and leaving malloc alone where the person has chosen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fashionbench.errors import UsageError
from fashionbench.training.devices import (
    free_memory,
    reproducible,
    resolve_device,
    seed_generators,
    synchronize,
)

CPU = torch.device("cpu")


def test_auto_is_cuda_if_there_is_one_else_the_cpu() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert resolve_device("auto").type == expected
    synchronize(resolve_device("auto"))


def test_a_device_is_taken_as_it_is() -> None:
    meta = torch.device("meta")
    assert resolve_device(meta) == meta


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'gpu'.*auto, cpu, cuda, mps"):
        resolve_device("gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_an_absent_device_is_refused() -> None:
    for name in ("cuda", torch.device("cuda:1")):
        with pytest.raises(UsageError, match="no cuda device"):
            resolve_device(name)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_malloc_is_left_to_a_person_who_set_it() -> None:
    program = "from fashionbench.training.devices import retain_freed_memory as k; print(k())"
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"MALLOC_TRIM_THRESHOLD_": "131072"},
        capture_output=True,
        text=True,
    )
    assert answer.stdout.strip() == "False", answer.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_free_memory_is_less_than_the_machine_has() -> None:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 1 << 20 < free_memory(CPU) < total


def test_a_containers_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"/proc/meminfo": "MemAvailable:    8000000 kB\n"}
    files |= {f"/sys/fs/cgroup/memory.{name}": "max" for name in ("max", "current")}

    def read(path: Path, encoding: str) -> str:
        if str(path) not in files:
            raise FileNotFoundError(path)
        return files[str(path)]

    monkeypatch.setattr(Path, "read_text", read)
    assert free_memory(CPU) == 8_000_000 * 1024
    files |= {"/sys/fs/cgroup/memory.max": "5000\n", "/sys/fs/cgroup/memory.current": "3000\n"}
    assert free_memory(CPU) == 2000
    files.clear()
    assert free_memory(CPU) == 4 << 30


def test_training_leaves_cudnn_on_and_generators_as_they_were() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    allowed = torch.backends.cudnn.allow_tf32
    try:
        for allow in (True, False):
            torch.backends.cudnn.allow_tf32 = allow
            with reproducible(CPU):
                seed_generators(CPU, 8)
                first = torch.rand(2)
                seed_generators(CPU, 8)
                assert torch.equal(torch.rand(2), first)
                assert torch.backends.cudnn.enabled
                assert torch.backends.cudnn.deterministic
                assert torch.backends.cudnn.allow_tf32 == allow
    finally:
        torch.backends.cudnn.allow_tf32 = allowed
    assert torch.equal(torch.rand(2), expected)
