"""A run folder's models go by the names in its report, and a person's own names stay."""

from functools import partial
from pathlib import Path

import pytest
from factories import NET, run_cli
from torch import Tensor, nn

import fashionbench as fb
from fashionbench.errors import UsageError
from fashionbench.experiments.planning import plan

QUICK = {"dataset": "silhouettes", "epochs": 1, "train_images": 100}


class Net(nn.Module):
    """A person's own."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, width), nn.Linear(width, 10))

    def forward(self, images: Tensor) -> Tensor:
        """Tell the classes apart."""
        return self.layers(images)


def test_a_dict_names_models_in_tables_pairs_figures_and_commands(tmp_path: Path) -> None:
    asked = {"narrow": Net, "wide": partial(Net, width=8), "usual": "v0"}
    result = fb.compare(asked, seeds=2, out=tmp_path, **QUICK)
    assert [result.name(entry) for entry in result.entries] == [*asked]
    assert {pair.a for pair in result.pairs} | {pair.b for pair in result.pairs} == {*asked}
    for text in (result.table("markdown"), result._repr_html_(), repr(result)):
        assert all(name in text for name in asked)
        assert "Net:width" not in text
    (legend,) = [axes.get_legend() for axes in result.figure("curves").axes]
    assert {text.get_text() for text in legend.get_texts()} == {*asked}
    assert result.load_model("wide", seed=1).layers[1].out_features == 8
    assert '{"narrow": "' in result.command
    again = fb.compare(["Wide", "usual"], seeds=2, out=tmp_path, **QUICK)
    assert [again.name(entry) for entry in again.entries] == ["wide", "usual"]
    assert again.entries[0].accuracies == result.find_entry("wide").accuracies


def test_two_names_for_one_model_are_refused() -> None:
    with pytest.raises(UsageError, match="'a' and 'b' are one model; give it one name"):
        plan({"a": "v0@fast", "b": "v0@adam"}, "default", 1, dataset="silhouettes")
    with pytest.raises(UsageError, match="each may be named only once"):
        plan({"a": Net, "b": Net}, "default", 1, dataset="silhouettes")


def test_a_folder_of_networks_goes_by_the_names_of_its_report(tmp_path: Path) -> None:
    for name in ("student_1", "student_2", "student_3"):
        (tmp_path / f"{name}.py").write_text(NET.format(name="Net"))
    asked = ["compare", "--out", "runs", "--seeds", 1, "--dataset", "silhouettes"]
    asked += ["--epochs", 1, "--train-images", 100, "--models"]
    first = run_cli(*asked, "./", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    second = run_cli(*asked, "Student_2@default,v0", cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    rows = [line.split()[0] for line in second.stdout.splitlines() if line.strip()]
    assert "student_2.py:Net" in rows
    third = run_cli(*asked, "student_9,v0", cwd=tmp_path)
    assert third.returncode == 2
    assert "There is no model 'student_9'" in third.stderr
