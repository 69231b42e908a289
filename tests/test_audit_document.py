"""audit.json is a public format: numbered, typed, read back as it was written."""

import json

import pytest
from pydantic import ValidationError

from fashionbench.report.audit.audit_document import AuditDocument

EMPTY = {
    "format": 1,
    "dataset": "mine/",
    "title": "mine",
    "digests": {"train": "a", "test": "b"},
    "command": "fashionbench audit --dataset mine/",
    "channels": 3,
    "size": 32,
    "classes": ["bag", "boot"],
    "train_images": 6,
    "test_images": 4,
    "notes": [],
    "device": "cpu",
    "threads": 1,
    "versions": {},
    "processor": "A processor",
    "seconds": {},
    "doubles": {
        "threshold": 12,
        "limit": 16,
        "counts": [],
        "distances": [],
        "images": 0,
        "groups": 0,
        "largest_group": 0,
        "test_images_known": 0,
        "pairs": [],
    },
    "labels": None,
    "split": {"judges": [], "deals": [], "telling": None, "positions": []},
    "doubtful_test_images": {"double": [1, 2]},
}


def test_what_is_written_is_read_back() -> None:
    document = AuditDocument.model_validate(EMPTY)
    assert AuditDocument.model_validate_json(document.to_json()) == document
    assert next(iter(json.loads(document.to_json()).items())) == ("format", 1)


@pytest.mark.parametrize("wrong", [{"format": 2}, {"weather": "fine"}, {"train_images": "many"}])
def test_another_format_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AuditDocument.model_validate(EMPTY | wrong)


def test_every_field_is_explained() -> None:
    schema = AuditDocument.model_json_schema()
    for part in [schema, *schema["$defs"].values()]:
        for name, field in part["properties"].items():
            assert field.get("description"), name
