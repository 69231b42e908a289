"""The digest of a source follows it, and the values say what was read into global names."""

from dataclasses import replace
from pathlib import Path

import pytest

from fashionbench.core.own_code import importable_neighbours, locate
from fashionbench.core.own_source import Source, digest_source, digest_values, global_values


def test_the_digest_follows_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    digests = []
    for text in ("def f(): return 1\n", "def f(): return 2\n", "def f(): return 1\n"):
        path.write_text(text)
        digests.append(digest_source(locate(f"{path}:f"), f"{path}:f"))
        assert locate(f"{path}:f")() == int(text[-2])
    assert digests[0] == digests[2] != digests[1]


NET = """
from types import SimpleNamespace
import torch

def settings():
    return {values}

CONFIG = settings()
UNUSED = [1]

def helper(x, factor=CONFIG["a"]):
    return x * factor

def outer():
    depth = CONFIG["b"]
    def inner(x):
        return helper(x) * depth
    return inner

net = outer()
"""


def values_of(tmp_path: Path, values: str, name: str = "net") -> dict[str, str]:
    path = tmp_path / "mine.py"
    path.write_text(NET.format(values=values))
    return global_values(locate(f"{path}:{name}"))


def test_values_are_those_of_defaults_and_of_the_function_around_too(tmp_path: Path) -> None:
    before = values_of(tmp_path, "{'a': 1, 'b': 2}")
    assert values_of(tmp_path, "{'a': 1, 'b': 2}") == before
    for changed in ("{'a': 5, 'b': 2}", "{'a': 1, 'b': 5}"):
        assert values_of(tmp_path, changed) != before
    assert not any("UNUSED" in name for name in before)


def test_the_digests_of_a_source_are_read_as_they_are_written() -> None:
    whole = Source("a", "b", "c", "d")
    for part in ("text", "others", "values", "weights"):
        less = replace(whole, **{part: ""})
        assert Source.parse(str(less)) == less
    assert str(whole) == "a.b~c+d", "as stores hold it and job keys hash it"


def test_what_use_changes_is_left_out() -> None:
    assert digest_values({}, {}) == ""
    steady = digest_values({"a": "1"}, {"a": "1"})
    assert digest_values({"a": "1", "seen": "[]"}, {"a": "1", "seen": "[1]"}) == steady
    assert digest_values({"a": "2"}, {"a": "2"}) != steady


BESIDE = "import torch\ndef f(x): return torch.{}(x)\nTABLE = {{'main': f}}\n"
REACHED = {
    "a table": "from parts import TABLE\ndef net(x): return TABLE['main'](x)\n",
    "a table of a module": "import parts\ndef net(x): return parts.TABLE['main'](x)\n",
    "a search": "import parts\ndef net(x): return getattr(parts, 'f')(x)\n",
    "an import within": "def net(x):\n    import parts\n    return parts.f(x)\n",
    "a part imported within": "def net(x):\n    from parts import f\n    return f(x)\n",
}


@pytest.mark.parametrize("way", REACHED)
def test_code_beside_a_file_is_followed_however_it_is_reached(way: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(REACHED[way])
    found = []
    for function in ("relu", "tanh", "relu"):
        (tmp_path / "parts.py").write_text(BESIDE.format(function))
        reference = f"{tmp_path}/mine.py:net"
        net = locate(reference)
        with importable_neighbours(reference):
            found.append((digest_source(net, reference), global_values(net)))
    assert found[0] == found[2] != found[1]


def test_a_variable_of_the_environment_that_is_asked_for_is_a_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "import os\ndef net(x): return x * float(os.environ.get('SCALE_OF_A_TEST', 1))\n"
    )
    before = global_values(locate(f"{tmp_path}/mine.py:net"))
    monkeypatch.setenv("SCALE_OF_A_TEST", "3")
    assert global_values(locate(f"{tmp_path}/mine.py:net")) != before
    monkeypatch.setenv("UNRELATED_TO_A_TEST", "3")
    assert global_values(locate(f"{tmp_path}/mine.py:net")) != before
