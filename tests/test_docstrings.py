"""The examples of the public functions run, in the order in which the Python page has them."""

import doctest
import inspect
import re
from pathlib import Path

import pytest

import fashionbench as fb

PAGE = Path(__file__).parent.parent / "docs" / "api.md"
NAMES = re.findall(r"^::: fashionbench\.(\w+)$", PAGE.read_text("utf-8"), re.MULTILINE)


@pytest.mark.slow
def test_the_examples_run_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a reader tries them: in one folder, with what the examples before have left there."""
    monkeypatch.chdir(tmp_path)
    names = {"fb": fb}
    runner, told = doctest.DocTestRunner(), list[str]()
    for name in NAMES:
        for example in doctest.DocTestFinder().find(getattr(fb, name), name, globs=names):
            runner.run(example, out=told.append, clear_globs=False)
            names |= example.globs
    assert runner.tries > len(NAMES)
    assert told == []


@pytest.mark.parametrize("name", [name for name in NAMES if inspect.isfunction(getattr(fb, name))])
def test_every_public_function_has_an_example(name: str) -> None:
    docstring = inspect.getdoc(getattr(fb, name)) or ""
    assert doctest.DocTestParser().get_examples(docstring)
