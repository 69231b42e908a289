"""The report's figures by their names: complete, titled, with room for long names."""

import re
from pathlib import Path

import numpy as np
import pytest
from factories import make_result
from matplotlib.figure import Figure

from fashionbench.errors import UsageError
from fashionbench.experiments.result import Result
from fashionbench.report.figures import FIGURES, draw_figure, render_svg


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return make_result(tmp_path_factory.mktemp("figures"))


def title_of(figure: Figure) -> str:
    return figure.get_suptitle() or figure.axes[0].get_title(loc="left")


def test_a_figure_takes_the_pages_ink_and_has_ids_of_its_own(result: Result) -> None:
    one, other = (render_svg(draw_figure(result, "time"), name, "<b>") for name in ("a", "b"))
    assert 'aria-label="&lt;b&gt;"' in one
    assert "currentColor" in one
    assert "#010203" not in one
    ids = [set(re.findall(r'\bid="(.*?)"', svg)) for svg in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_an_unknown_figure_is_refused(result: Result) -> None:
    with pytest.raises(UsageError, match=r"'curve'; there are differences, accuracies, curves"):
        draw_figure(result, "curve")


@pytest.mark.slow
def test_long_names_leave_room_for_the_plots(tmp_path: Path) -> None:
    weights = f"{'/a/folder/far/away' * 5}/resnet20.th"
    models = (f"resnet20:mean=0.449:sd=0.226:weights={weights}", "my/nets/net.py:MyNet:width=64")
    result = make_result(tmp_path, models=models)
    for name in FIGURES:
        # Raises what matplotlib warns of.
        draw_figure(result, name).savefig(tmp_path / "figure.png")

    def shown(result: Result) -> list[str]:
        axes = draw_figure(result, "accuracies").axes[0]
        return [label.get_text() for label in axes.get_yticklabels()]

    assert shown(result) == [
        "net.py:MyNet:width=64",
        "resnet20:mean=0.449:\nsd=0.226:\nweights=resnet20.th",
    ]
    twins = make_result(tmp_path / "twins", models=("a/net.py:MyNet", "b/net.py:MyNet"))
    assert shown(twins) == ["b/net.py:MyNet", "a/net.py:MyNet"]


@pytest.mark.parametrize("name", FIGURES)
def test_every_title_names_the_data_set(name: str, result: Result) -> None:
    assert "Silhouettes (a title)" in title_of(draw_figure(result, name))


def test_the_confusion_shown_is_that_of_the_best(result: Result) -> None:
    best = max(result.entries, key=lambda entry: np.mean(entry.accuracies))
    assert best.model != result.entries[0].model
    assert title_of(draw_figure(result, "confusion")).startswith(f"{best.model}:")
