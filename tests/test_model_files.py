"""Many files named at once become models, in the order of their names."""

from pathlib import Path

import pytest
from factories import NET

from fashionbench.errors import UsageError
from fashionbench.experiments.model_files import expand_models


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "nets"
    folder.mkdir()
    (folder / "bob.py").write_text(NET.format(name="Net"))
    (folder / "ann.py").write_text(NET.format(name="MyCNN"))
    (folder / "_shared.py").write_text("WIDTH = 3")
    return folder


def test_a_pattern_names_a_class_in_every_file(nets: Path) -> None:
    faults: dict[str, str] = {}
    found = expand_models(["v0", "nets/*.py:Net:width=3", f"{nets}/b*.py:Net@fast"], faults)
    assert found == [
        "v0",
        "nets/_shared.py:Net:width=3",
        "nets/ann.py:Net:width=3",
        "nets/bob.py:Net:width=3",
        f"{nets}/bob.py:Net@fast",
    ]
    assert faults == {}


def test_of_a_folder_each_file_has_one_network_and_faults_are_told(nets: Path) -> None:
    (nets / "cid.py").write_text("def broken(:")
    (nets / "dot.py").write_text("answer = 42")
    (nets / "eve.py").write_text(NET.format(name="Block") + NET.format(name="Big"))
    (nets / "fay.py").write_text(NET.format(name="Block") + NET.format(name="Net"))
    faults: dict[str, str] = {}
    for folder in ("nets/", "./nets"):
        found = expand_models([folder], faults)
        names = [Path(model).name for model in found]
        assert names == ["ann.py:MyCNN", "bob.py:Net", "fay.py:Net"]
    assert "line 1" in faults["nets/cid.py"]
    assert "defines no torch.nn.Module" in faults["nets/dot.py"]
    assert "defines Block, Big; call the one to compare Net" in faults["nets/eve.py"]


@pytest.mark.usefixtures("nets")
def test_a_name_may_look_like_a_pattern_or_a_recipe() -> None:
    for folder in map(Path, ("one@home", "one[2]")):
        folder.mkdir()
        (folder / "ann[1].py").write_text(NET.format(name="Net"))
    assert expand_models(["one@home/@fast"], {}) == ["one@home/ann[1].py:Net@fast"]
    assert expand_models(["one[2]/ann[1].py:Net"], {}) == ["one[2]/ann[1].py:Net"]


@pytest.mark.usefixtures("nets")
@pytest.mark.parametrize(
    ("model", "message"),
    [("nets/x*.py:Net", "No file is called nets/x"), ("empty/", "no .py file")],
)
def test_nothing_found_is_refused(model: str, message: str) -> None:
    Path("empty").mkdir(exist_ok=True)
    with pytest.raises(UsageError, match=message):
        expand_models([model], {})


def test_a_class_and_a_key_are_left_as_they_are() -> None:
    assert expand_models([dict, "v0", "timm/resnet18"], {}) == [dict, "v0", "timm/resnet18"]
