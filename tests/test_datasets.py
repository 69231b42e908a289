"""The table of data sets, and their description."""

import subprocess
import sys
from pathlib import Path

import pytest
from factories import PATIENCE

from fashionbench.data import datasets
from fashionbench.data.datasets import describe, load_arrays, load_data
from fashionbench.data.split import Dataset
from fashionbench.errors import UsageError


def test_the_real_data_are_described_as_the_literature_does(real_data: Path) -> None:
    summary = describe("fashion-mnist", real_data)
    assert (round(summary.mean, 4), round(summary.sd, 4)) == (0.2860, 0.3530)
    assert set(summary.classes.values()) == {(6_000, 1_000)}
    assert "mean 0.2860, sd 0.3530" in str(summary)
    assert str(real_data) in str(summary)


@pytest.mark.parametrize("function", [load_data, describe, load_arrays])
def test_an_unknown_name_is_answered_with_the_known(function) -> None:
    with pytest.raises(UsageError, match="'mnist'; there are fashion-mnist, silhouettes"):
        function("mnist")


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_an_entry_bears_its_key_and_ten_names(name: str) -> None:
    entry = datasets.DATASETS[name]
    assert entry.name == name
    assert len(set(entry.classes)) == 10


def test_silhouettes_are_described_without_files(silhouettes: Dataset) -> None:
    summary = describe("silhouettes")
    assert summary.files == ()
    assert set(summary.classes.values()) == {(600, 100)}
    images = silhouettes.train.images.numpy() / 255
    assert (summary.mean, summary.sd) == pytest.approx((images.mean(), images.std()))


@pytest.mark.slow
def test_importing_and_describing_need_no_torch() -> None:
    program = (
        "import sys, fashionbench.data.datasets as data\n"
        "assert not {'torch', 'pooch', 'requests'} & set(sys.modules)\n"
        "data.describe('silhouettes')\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=PATIENCE)
