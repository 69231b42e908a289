"""Names of files, classes and functions as text."""

import json
from pathlib import Path

import pytest

from fashionbench.core.files import slug
from fashionbench.core.names import find_code_name, portable_name, printable


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (b"plain.png", "plain.png"),
        ("Träger.png".encode(), "Träger.png"),
        (b"caf\xe9.png", "caf\\xe9.png"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("日本".encode("shift-jis"), "\\x93\\xfa\\x96{"),
    ],
)
def test_any_bytes_can_be_written(name: bytes, told: str) -> None:
    found = printable(Path(name.decode("utf-8", "surrogateescape")))
    assert found == told
    assert json.loads(json.dumps(found).encode("utf-8")) == told


def test_forms_of_unicode_are_one_name() -> None:
    apart, together = Path("x/e\u0301/a\u030a.png"), Path("x/\u00e9/\u00e5.png")
    assert portable_name(apart, Path("x")) == portable_name(together, Path("x")) == "é/å.png"


def test_what_stands_at_the_top_of_a_module_has_a_name() -> None:
    assert find_code_name(slug) == "fashionbench.core.files:slug"
    assert find_code_name(Path) in ("pathlib:Path", "pathlib._local:Path")


def test_what_no_other_process_could_find_has_none() -> None:
    def local() -> None: ...

    assert [find_code_name(thing) for thing in (local, lambda: 0, 3, Path(), (n for n in ()))] == [
        None
    ] * 5
