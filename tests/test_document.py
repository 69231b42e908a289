"""results.json is a public format: numbered, typed, explained, and the recorded one is in it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from factories import make_result
from pydantic import ValidationError

from fashionbench.report.document import Document

ROOT = Path(__file__).parent.parent
SCHEMA = Document.model_json_schema()
PARTS = {"Document": SCHEMA, **SCHEMA["$defs"]}


def in_words(schema: dict[str, Any]) -> str:
    """A field's type as the page says it."""
    if "anyOf" in schema:
        return " or ".join(in_words(each) for each in schema["anyOf"])
    if "$ref" in schema:
        part = schema["$ref"].rpartition("/")[2]
        return f"[{part}](#{part.lower()})"
    if schema["type"] == "array":
        of = in_words(schema["items"])
        return f"list of {of}" if of.startswith("[") else f"list of {of}s"
    words = {"integer": "whole number", "boolean": "true or false"}
    return words.get(schema["type"], schema["type"])


def rows_of(part: str) -> Iterator[str]:
    for name, schema in PARTS[part]["properties"].items():
        meaning = " ".join(schema["description"].split())
        yield f"| `{name}` | {in_words(schema)} | {meaning} |"


def test_the_page_explains_every_field_and_no_other() -> None:
    text = (ROOT / "docs" / "results-json.md").read_text("utf-8")
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert sections.keys() == PARTS.keys()
    for part, section in sections.items():
        found = [line for line in section.splitlines() if line.startswith("| `")]
        assert found == [*rows_of(part)], part


def test_the_number_of_the_format_comes_first(tmp_path: Path) -> None:
    text = make_result(tmp_path).to_json()
    assert next(iter(json.loads(text).items())) == ("format", 1)


@pytest.mark.parametrize("outcome", ["ok", "diverged"])
@pytest.mark.parametrize("seeds", [1, 3])
def test_what_is_written_is_read_back(outcome: str, seeds: int, tmp_path: Path) -> None:
    result = make_result(tmp_path, seeds=seeds, outcomes={"v1": outcome})
    assert Document.model_validate_json(result.to_json()) == result.document


def test_a_field_that_the_format_does_not_have_is_refused(tmp_path: Path) -> None:
    written = json.loads(make_result(tmp_path).to_json())
    for changed in (written | {"weather": "fine"}, written | {"format": 2}):
        with pytest.raises(ValidationError):
            Document.model_validate(changed)


def test_the_recorded_comparison_is_in_this_format() -> None:
    recorded = (ROOT / "docs" / "results" / "three-models.json").read_text("utf-8")
    assert len(Document.model_validate_json(recorded).pairs) == 3
