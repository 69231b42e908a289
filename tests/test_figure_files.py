"""Figures as files: all of them, legible on their background, the same bytes every time."""

import numpy as np
import pytest
from factories import make_result
from PIL import Image

from fashionbench.errors import UsageError
from fashionbench.experiments.result import Result
from fashionbench.report.figure_files import save_figures


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return make_result(tmp_path_factory.mktemp("figures"), models=("v0", "v1"))


@pytest.mark.slow
def test_every_figure_is_a_file_and_each_model_has_its_confusion(result: Result) -> None:
    names = {path.stem for path in save_figures(result, "svg")}
    assert names >= {"differences", "accuracies", "curves", "hard"}
    assert names >= {"confusion-v0", "confusion-v1"}
    first = (result.folder / "figures" / "curves.svg").read_bytes()
    save_figures(result, "svg")
    assert (result.folder / "figures" / "curves.svg").read_bytes() == first
    assert b"#010203" not in first


@pytest.mark.slow
@pytest.mark.parametrize(("style", "dark"), [("projector", True), ("paper", False)])
def test_ink_stands_out_from_the_background(style: str, dark: bool, result: Result) -> None:
    written = save_figures(result, "png", style)
    grey = np.asarray(Image.open(written[0]).convert("L"), float)
    background = grey[2, 2]
    assert (background < 60) == dark
    assert np.abs(grey - background).max() > 150
    assert written[0].suffix == ".png"


def test_what_there_is_not_is_refused(result: Result) -> None:
    with pytest.raises(UsageError, match="'gif'; there are svg, png, pdf"):
        save_figures(result, "gif")
    with pytest.raises(UsageError, match="'wall'; there are page, projector, paper"):
        save_figures(result, "svg", "wall")
