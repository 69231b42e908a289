"""What the tests share: threads set explicitly, small data, the command line in its own process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fashionbench.data import Dataset, Split, load_data

torch.set_num_threads(2)


@pytest.fixture(scope="session")
def silhouettes() -> Dataset:
    return load_data("silhouettes")


@pytest.fixture(scope="session")
def few(silhouettes: Dataset) -> Split:
    """500 training images: 15 whole batches of 32 and a short one."""
    return Split(silhouettes.train.images[:500], silhouettes.train.labels[:500])


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The root of the real data set; the test skips without it."""
    root = os.environ.get("FASHIONBENCH_DATA")
    if not root or not (Path(root) / "FashionMNIST" / "raw").is_dir():
        pytest.skip("needs the real data set in FASHIONBENCH_DATA")
    return Path(root)


def run_cli(*arguments: object, cwd: Path, **options) -> subprocess.CompletedProcess[str]:
    """The fashionbench command in a process of its own, on one thread."""
    return subprocess.run(
        [sys.executable, "-m", "fashionbench", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
        **{"env": os.environ | {"OMP_NUM_THREADS": "1"}} | options,
    )
