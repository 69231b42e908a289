"""The house's own rules, checked by a machine."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src" / "fashionbench").rglob("*.py"))


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("fashionbench", {"torch", "numpy", "pydantic", "matplotlib", "typer"}),
        ("fashionbench.cli", {"torch", "numpy", "matplotlib", "scipy"}),
        ("fashionbench.report", {"torch", "scipy.stats"}),
        ("fashionbench.comparison", {"torch", "scipy.stats"}),
    ],
)
def test_importing_a_module_loads_nothing_heavy(module: str, unwanted: set[str]) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert set(loaded.stdout.split()) & unwanted == set()


def test_every_module_has_its_tests() -> None:
    modules = {path.stem for path in SOURCES if path.parent.name == "fashionbench"}
    tests = {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("test_*.py")}
    # errors holds no behaviour of its own.
    assert {name for name in modules if not name.startswith("_")} - tests == {"errors"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_a_file_stays_short_enough_to_be_read(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 400


def test_everything_offered_can_be_had() -> None:
    import fashionbench as fb

    assert [name for name in fb.__all__ if not callable(getattr(fb, name))] == []
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fb.nothing
