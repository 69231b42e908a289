"""What the documents and examples say is run."""

import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import nbformat
import pytest
from factories import PATIENCE
from nbclient import NotebookClient
from typer.testing import Result

import fashionbench
from fashionbench.config.execution import Parallel
from fashionbench.config.recipe import load_recipe
from fashionbench.stats.verdict import Word
from fashionbench.store.records import Outcome

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_script_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["compare_three.py", "silhouettes"])
    runpy.run_path(str(ROOT / "examples" / "compare_three.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert re.search(r"FashionMNISTModelV2: \d\d\.\d%, sd \d", printed)
    assert "MLP: " in printed


@pytest.mark.slow
def test_the_example_of_an_own_model_runs_as_a_script_and_from_a_shell(
    tmp_path: Path, call_cli: Callable[..., Result]
) -> None:
    example = ROOT / "examples" / "own_model.py"
    assert len(example.read_text("utf-8").splitlines()) < 40
    quick = ["--dataset", "silhouettes", "--epochs", "1", "--seeds", "1"]
    answer = call_cli("compare", "--models", f"{example}:MyNet:width=4", *quick)
    assert answer.exit_code == 0, answer.stderr
    assert "own_model.py:MyNet:width=4" in "".join(answer.stdout.split())
    change = f"{ROOT / 'examples' / 'own_augmentation.py'}:fog:0.5"
    answer = call_cli("compare", "--models", "v0", "--augmentation", change, *quick)
    assert answer.exit_code == 0, answer.stderr
    answer = subprocess.run(
        [sys.executable, example, "silhouettes"], cwd=tmp_path, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    assert "MyNet against mlp: " in answer.stdout


@pytest.mark.slow
def test_the_notebook_shows_table_plot_and_frame(tmp_path: Path) -> None:
    notebook = nbformat.read(ROOT / "examples" / "notebook.ipynb", as_version=4)
    NotebookClient(notebook, timeout=PATIENCE, resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    shown = ["".join(str(output.get("data", "")) for output in cell) for cell in outputs]
    assert "<svg" in shown[0]
    assert "<table" in shown[0]
    assert "image/png" in shown[1]
    assert "train_seconds" in shown[2]


GENERATED = ROOT / "docs" / "commands.md"
RECORD = ROOT / "docs" / "lab-notes.md"  # of what was run in its time
PAGES = [ROOT / "README.md", *sorted({*(ROOT / "docs").glob("*.md")} - {GENERATED, RECORD})]
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
OF_SLURM = {"--exclusive"}


@pytest.fixture(scope="module")
def flags() -> dict[str, set[str]]:
    """The flags of every command, as the page that is made from the help lists them."""
    _, *parts = re.split(r"^## `fashionbench (\w+)`$", GENERATED.read_text("utf-8"), flags=re.M)
    return {name: {*FLAG.findall(part)} for name, part in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_flags_of_the_documents_exist(page: Path, flags: dict[str, set[str]]) -> None:
    text = page.read_text("utf-8")
    for command, rest in re.findall(r"(?:^ *|`)fashionbench (\w+)([^`\n]*)", text, re.MULTILINE):
        assert {*FLAG.findall(rest.split("#")[0])} <= flags[command], command
    known = {flag for of_command in flags.values() for flag in of_command}
    for code in re.findall(r"`([^`\n]*)`", text):
        assert not code.startswith("--") or {*FLAG.findall(code)} <= known | OF_SLURM, code


def test_the_page_of_commands_is_what_the_help_says() -> None:
    words = ["fashionbench.cli.app", "utils", "docs", "--name", "fashionbench"]
    answer = subprocess.run(
        [sys.executable, "-m", "typer", *words, "--title", "Commands"],
        capture_output=True,
        text=True,
        check=True,
    )
    page = (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert page.strip() == answer.stdout.strip(), "`make commands` writes the page anew"


def test_the_recipe_in_the_documents_is_one(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "own.md").read_text("utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "mine.toml").write_text(block, "utf-8")
    assert load_recipe(str(tmp_path / "mine.toml")).epochs == 12


def test_the_changelog_and_the_citation_name_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    (newest, date), *_ = re.findall(r"^## \[(\d[\d.]*)\] - (\d{4}-\d\d-\d\d)$", changelog, re.M)
    citation = (ROOT / "CITATION.cff").read_text("utf-8").splitlines()
    assert newest == fashionbench.__version__
    for line in ("cff-version: 1.2.0", "title: fashionbench", f"version: {newest}"):
        assert line in citation
    assert f'date-released: "{date}"' in citation


def test_the_glossary_explains_the_words_that_results_are_given_in() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    explained = re.findall(r"^\| ([^|]+) \|", glossary, re.MULTILINE)
    for word in {*get_args(Outcome), *get_args(Parallel)} - {"ok", "auto"}:
        assert word in explained
    for word in get_args(Word):
        assert f"*{word}*" in glossary


def test_the_readmes_tree_names_every_module() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    block = text.split("src/fashionbench/\n")[1].split("\ntests/")[0]
    named, folders = set(), {}
    for line in block.splitlines():
        depth, name = len(line) - len(line.lstrip()), line.split()[0]
        folders = {at: folder for at, folder in folders.items() if at < depth}
        if name.endswith("/"):
            folders[depth] = name
        else:
            named.add("".join(folders.values()) + name)
    package = ROOT / "src" / "fashionbench"
    files = [*package.rglob("[!_]*.py"), *package.rglob("*.c")]
    modules = {path.relative_to(package) for path in files}
    architectures = {path for path in modules if path.parent.name == "zoo"}
    assert named == {path.as_posix() for path in modules - architectures}


@pytest.mark.slow
def test_the_readmes_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL
    )
    for short, long in (
        ("seeds=5)", "seeds=1, dataset='silhouettes')"),
        ("fb.load_data()", "fb.load_data('silhouettes')"),
    ):
        assert short in block
        block = block.replace(short, long)
    exec(block, {"__name__": "__main__"})


def test_the_extras_that_are_named_are_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    lists = [
        named
        for page in pages
        for named in re.findall(r"pip install [^`\n]*\"\.\[([\w,]+)\]\"", page.read_text("utf-8"))
    ]
    code = [file.read_text("utf-8") for file in (ROOT / "src").rglob("*.py")]
    lists += [
        name for text in code for name in re.findall(r"MissingPackage\([^)]*\"(\w+)\"\)", text)
    ]
    assert len(lists) > 5
    assert {name for named in lists for name in named.split(",")} <= {
        *project["optional-dependencies"]
    }
