"""A person's own code: found, told apart by its source, its faults placed in its own file."""

from pathlib import Path

import pytest

from fashionbench.errors import UsageError
from fashionbench.own_code import locate, takes, told
from fashionbench.own_source import digest


def test_a_function_of_a_file_and_one_of_a_package_are_found(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("class Box:\n    @staticmethod\n    def make(width, depth=2): return width\n")
    assert locate(f"{path}:Box.make")(3) == 3
    assert takes(locate(f"{path}:Box.make")) == "width, depth=2"
    assert locate("json:dumps")([1]) == "[1]"


def test_the_digest_follows_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    digests = []
    for text in ("def f(): return 1\n", "def f(): return 2\n", "def f(): return 1\n"):
        path.write_text(text)
        digests.append(digest(locate(f"{path}:f"), f"{path}:f"))
        assert locate(f"{path}:f")() == int(text[-2])
    assert digests[0] == digests[2] != digests[1]


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
    assert told(fault.value).endswith(".")
    assert "Expecting" in told(fault.value)
