"""The house's own rules, checked by a machine."""

import ast
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src" / "fashionbench").rglob("*.py"))


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("fashionbench", {"torch", "numpy", "pydantic", "matplotlib", "typer"}),
        ("fashionbench.cli.app", {"torch", "numpy", "matplotlib", "scipy"}),
        ("fashionbench.report.page", {"torch", "scipy.stats"}),
        ("fashionbench.experiments.comparison", {"torch", "scipy.stats"}),
        ("fashionbench.experiments.result", {"torch", "matplotlib", "scipy.stats"}),
    ],
)
def test_importing_a_module_loads_nothing_heavy(module: str, unwanted: set[str]) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert set(loaded.stdout.split()) & unwanted == set()


# Modules whose tests have another name: one suite covers every model of the table.
TESTED_BY = {
    "adapter": "own_models",
    "build": "models",
    "identity": "own_models",
    "own": "own_models",
    "part": "document",
    "recording": "run",
    "tuning_document": "document",
}


def _suite_of(path: Path) -> str:
    """The name of a module's tests; an app is its room's, an architecture the models'."""
    if path.parent.name == "zoo" or path.parts[-2:] == ("models", "table.py"):
        return "models"
    if path.parts[-2:] == ("report", "comparison.py"):
        return "report_comparison"
    name = path.parent.name if path.stem == "app" else path.stem
    return TESTED_BY.get(name, name)


def test_every_module_has_its_tests() -> None:
    needed = {_suite_of(path) for path in SOURCES if not path.name.startswith("_")}
    tests = {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("test_*.py")}
    # errors holds no behaviour of its own.
    assert needed - tests == {"errors"}


def test_a_room_loads_nothing_by_itself() -> None:
    for path in SOURCES:
        if path.name == "__init__.py" and path.parent.name != "fashionbench":
            tree = ast.parse(path.read_text("utf-8"))
            assert ast.get_docstring(tree), path
            imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
            assert not imports, path


@pytest.mark.parametrize(
    "path", SOURCES, ids=lambda path: path.relative_to(ROOT / "src" / "fashionbench").as_posix()
)
def test_a_file_stays_short_enough_to_be_read(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 400


def test_the_public_names_stand_above_every_room() -> None:
    graph = grimp.build_graph("fashionbench")
    assert graph.find_modules_that_directly_import("fashionbench") == set()


def test_everything_offered_can_be_had() -> None:
    import fashionbench as fb

    assert [name for name in fb.__all__ if not callable(getattr(fb, name))] == []
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fb.nothing


def test_no_test_imports_from_another() -> None:
    """What several need lies in factories.py or beside it."""
    for path in (ROOT / "tests").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith(("test_", "conftest")), path
