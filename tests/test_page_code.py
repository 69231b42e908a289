"""The page's JavaScript passes the linter, and the linter finds what it is for."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINTER = shutil.which("oxlint", path=str(Path(sys.executable).parent)) or shutil.which("oxlint")
FAULTS = {
    "no-undef": "documnet.title = 'x';",
    "no-unused-vars": "function start() { const unused = 1; } start();",
    "eqeqeq": "if (location.port == 0) alert('x');",
    "no-var": "var a = 1; alert(a);",
    "prefer-const": "let a = 1; alert(a);",
    "no-dupe-keys": "alert({ a: 1, a: 2 });",
}


def lint(path: Path) -> "subprocess.CompletedProcess[str]":
    if LINTER is None:
        pytest.skip("needs oxlint")
    arguments = [LINTER, "--deny-warnings", "--config", str(ROOT / ".oxlintrc.json"), str(path)]
    return subprocess.run(arguments, capture_output=True, text=True)


def test_the_pages_code_has_no_faults() -> None:
    found = lint(ROOT / "src" / "fashionbench" / "serve" / "web")
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("rule", FAULTS)
def test_a_fault_is_found(rule: str, tmp_path: Path) -> None:
    (tmp_path / "page.js").write_text(FAULTS[rule])
    found = lint(tmp_path / "page.js")
    assert found.returncode == 1
    assert f"({rule})" in found.stdout
