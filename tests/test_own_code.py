"""A person's own code: found, told apart by its source, its faults placed in its own file."""

import importlib
import random
import sys
from pathlib import Path

import pytest
import torch

from fashionbench.core.own_code import (
    describe_arguments,
    describe_error,
    importable_neighbours,
    locate,
    run_anew,
)
from fashionbench.errors import UsageError


def test_a_function_of_a_file_and_one_of_a_package_are_found(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("class Box:\n    @staticmethod\n    def make(width, depth=2): return width\n")
    assert locate(f"{path}:Box.make")(3) == 3
    assert describe_arguments(locate(f"{path}:Box.make")) == "width, depth=2"
    assert locate("json:dumps")([1]) == "[1]"


def test_a_file_is_run_once_while_it_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        f"with open({str(tmp_path / 'runs.txt')!r}, 'a') as file:\n    file.write('.')\n"
        "class Net: ...\n"
    )
    assert locate(f"{path}:Net") is locate(f"{path}:Net")
    assert (tmp_path / "runs.txt").read_text() == "."
    path.write_text(path.read_text() + "# edited\n")
    assert callable(locate(f"{path}:Net"))
    assert (tmp_path / "runs.txt").read_text() == ".."


def test_it_is_run_anew_when_what_it_read_or_imported_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "import os, json, part_beside\nfrom pathlib import Path\n"
        "here = Path(__file__).parent\n"
        "width = json.loads((here / 'net.json').read_text())\n"
        "depth = os.environ.get('DEPTH_OF_A_TEST', '1')\n"
        "def net(): return width, depth, part_beside.SIZE\n"
    )
    (tmp_path / "part_beside.py").write_text("SIZE = 1\n")
    (tmp_path / "net.json").write_text("8")
    net = locate(f"{tmp_path}/mine.py:net")
    assert net() == (8, "1", 1)
    monkeypatch.setenv("UNRELATED_TO_A_TEST", "1")
    assert locate(f"{tmp_path}/mine.py:net") is net
    (tmp_path / "net.json").write_text("16")
    assert locate(f"{tmp_path}/mine.py:net")() == (16, "1", 1)
    monkeypatch.setenv("DEPTH_OF_A_TEST", "3")
    assert locate(f"{tmp_path}/mine.py:net")() == (16, "3", 1)
    (tmp_path / "part_beside.py").write_text("SIZE = 22\n")
    assert locate(f"{tmp_path}/mine.py:net")() == (16, "3", 22)


def test_what_lies_beside_two_files_under_one_name_is_kept_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "parts_of_a_test.py").write_text(f"NAME = {name!r}\n")
        (tmp_path / name / "net.py").write_text(
            "import parts_of_a_test\n"
            "def net():\n"
            "    import parts_of_a_test as again\n"
            "    return parts_of_a_test.NAME, again.NAME\n"
        )
    nets = {name: locate(f"{tmp_path}/{name}/net.py:net") for name in ("one", "two", "one")}
    for name, net in nets.items():
        with importable_neighbours(f"{tmp_path}/{name}/net.py:net"):
            assert net() == (name, name)
    assert "parts_of_a_test" not in sys.modules
    assert not [*tmp_path.rglob("__pycache__")]


def test_what_a_script_has_imported_itself_stays_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared_by_a_test.py").write_text("")
    (tmp_path / "net.py").write_text("import shared_by_a_test\ndef net(): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    mine = importlib.import_module("shared_by_a_test")
    locate(f"{tmp_path}/net.py:net")
    assert sys.modules["shared_by_a_test"] is mine
    del sys.modules["shared_by_a_test"]


def test_a_file_changes_nothing_but_what_it_defines(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import torch, random, os, sys\n"
        "torch.manual_seed(1); random.seed(1)\n"
        "torch.set_default_dtype(torch.float64); torch.set_grad_enabled(False)\n"
        "os.chdir('/'); sys.path.append('/nowhere')\n"
        "drawn = float(torch.rand(()))\n"
        "def net(): return drawn\n"
    )

    def state() -> list[object]:
        return [
            torch.get_rng_state().tolist(),
            random.getstate(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            Path.cwd(),
            sys.path[:],
        ]

    before = state()
    locate(f"{path}:net")
    assert state() == before


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        ("def f(): ...", "g", "has no class or function 'g'; it defines f"),
        ("x = 1", "x", "it defines no class and no function"),
        ("def f(:", "f", r"mine.py, line 1: "),
        ("\nimport nowhere_at_all", "f", r"mine.py, line 2: No module named 'nowhere_at_all'"),
        (None, "f", "There is no file"),
    ],
)
def test_what_cannot_be_had_is_told(
    content: str | None, name: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=says):
        locate(f"{path}:{name}")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("x = missing", "own_package_of_a_test cannot be run: .*line 1: name 'missing'"),
        ("raise SystemExit(3)", "ends the program"),
        (None, "cannot be loaded"),
    ],
)
def test_a_package_that_cannot_be_had_is_told(
    content: str | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    if content is not None:
        (tmp_path / "own_package_of_a_test.py").write_text(content)
    with pytest.raises(UsageError, match=says):
        locate("own_package_of_a_test:f")


@pytest.mark.parametrize("reference", ["mine", ":f", "mine:"])
def test_a_reference_has_two_parts(reference: str) -> None:
    with pytest.raises(UsageError, match=r"write file\.py:Name or package\.module:Name"):
        locate(reference)


def test_a_fault_is_placed_in_the_persons_own_lines(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import json\n\ndef f():\n    json.loads('{')\n")
    with pytest.raises(ValueError, match="Expecting") as fault:
        locate(f"{path}:f")()
    assert describe_error(fault.value).endswith(".")
    assert "Expecting" in describe_error(fault.value)
    assert len(describe_error(RuntimeError("registered at " * 1000))) < 400, "torch writes pages"


def test_a_file_is_run_anew_without_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("seen = []\ndef look(): seen.append(1); return len(seen)\n")
    look = locate(f"{path}:look")
    assert (look(), look()) == (1, 2)
    with run_anew():
        assert locate(f"{path}:look")() == 1
    assert locate(f"{path}:look") is look
    assert look() == 3
