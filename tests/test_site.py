"""The site shows all pages and the whole public interface; every link leads somewhere."""

import re
import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import fashionbench as fb
from fashionbench.config.recipe import Recipe

ROOT = Path(__file__).parent.parent
SITE = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "findings" / "README.md"]
)


def _leaves(navigation: list[dict[str, object]]) -> Iterator[str]:
    for entry in navigation:
        for page in entry.values():
            if isinstance(page, str):
                yield page
            else:
                assert isinstance(page, list)
                yield from _leaves(page)


def test_the_navigation_names_every_page_once() -> None:
    pages = [page.relative_to(ROOT).as_posix() for page in PAGES]
    assert sorted(_leaves(SITE["nav"])) == sorted(pages)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    """The site's own check knows pages and headings; images and sources are looked for here."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    files = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in files if not (page.parent / link).exists()] == []


def test_the_python_page_has_every_public_name_once() -> None:
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert sorted(re.findall(r"^::: fashionbench\.(\w+)$", text, re.MULTILINE)) == sorted(
        fb.__all__
    )


def test_the_python_page_explains_every_setting_of_a_recipe() -> None:
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    for name, field in Recipe.model_fields.items():
        default = "" if field.is_required() else f"`{field.default!r}`"
        assert f"| `{name}` | {default} | {field.description} |" in text


def test_the_picture_of_the_rooms_is_drawn_from_the_imports_as_they_are() -> None:
    drawing = runpy.run_path(str(ROOT / "docs" / "rooms.py"))
    assert drawing["PICTURE"].read_text("utf-8") == drawing["draw_rooms"](), (
        "The rooms or their imports have changed: run python docs/rooms.py."
    )


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_file_named_exists(page: str) -> None:
    places = (ROOT, ROOT / "src" / "fashionbench")
    files = re.findall(r"`((?:\w+/)+(?:\w+\.\w+)?)`", (ROOT / page).read_text("utf-8"))
    assert files
    assert [file for file in files if not any((at / file).exists() for at in places)] == []


def test_every_table_named_in_the_architecture_is_in_its_file() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    tables = re.findall(r"`([A-Z]+)` in `([\w/]+\.py)`", text)
    assert tables
    for name, file in tables:
        source = (ROOT / "src" / "fashionbench" / file).read_text("utf-8")
        assert re.search(rf"^{name}\b.*=", source, re.MULTILINE), (name, file)
