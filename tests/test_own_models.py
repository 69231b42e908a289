"""A person's own model: taken as it is, adapted where it must be, its faults explained."""

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import Result

from fashionbench.config.model_spec import ModelSpec
from fashionbench.config.recipe import load_recipe
from fashionbench.config.study import Job
from fashionbench.core.own_code import locate
from fashionbench.core.own_source import digest_source
from fashionbench.data.split import Dataset
from fashionbench.errors import FashionbenchError, StoreError, UsageError
from fashionbench.experiments.planning import plan
from fashionbench.experiments.run import run_job
from fashionbench.models.adapter import SHAPES, Interface, find_interface
from fashionbench.models.build import build_model
from fashionbench.models.checkpoint import load_model, save_model
from fashionbench.models.facts import ModelFacts
from fashionbench.models.identity import identify
from fashionbench.models.table import model_entry
from fashionbench.store.run_store import RunStore

NET = """
from torch import nn

class MyNet(nn.Sequential):
    def __init__(self, width: int = 8):
        super().__init__(nn.Flatten(), nn.Linear(784, width), nn.ReLU(), nn.Linear(width, 10))

def deep(width):
    return MyNet(width)
"""


def write(folder: Path, text: str, name: str = "my_net.py") -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text), "utf-8")
    return path


def test_a_class_and_a_function_of_a_file_are_models(tmp_path: Path) -> None:
    path = write(tmp_path, NET)
    spec, source = identify(f"{path}:MyNet:width=64")
    assert spec == ModelSpec(f"{path}:MyNet", {"width": 64})
    assert model_entry(spec).label == "MyNet width=64"
    assert build_model(str(spec))[1].out_features == 64
    assert build_model(f"{path}:deep:width=3")[1].out_features == 3
    assert identify(f"{path}:MyNet:width=8")[0] == ModelSpec(f"{path}:MyNet")
    path.write_text(path.read_text() + "# changed\n")
    assert identify(spec)[1] != source


@pytest.mark.parametrize(("channels", "side"), SHAPES)
def test_a_net_made_for_other_pictures_is_shown_ours(channels: int, side: int) -> None:
    # Takes this one shape and no other.
    net = nn.Sequential(nn.Flatten(), nn.Linear(channels * side * side, 10))
    images = torch.rand(3, 1, 28, 28)
    interface, answer = find_interface(lambda: net, images)
    assert interface == Interface(channels, side)
    assert answer.shape == (3, 10)
    model = interface.adapt(net)
    assert Interface.of(model) == interface
    if (channels, side) == (1, 28):
        assert model is net
        return
    shown = []
    net.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    model(images)
    assert shown[0].shape == (3, channels, side, side)
    torch.testing.assert_close(shown[0][:, 0].mean(), images.mean(), rtol=0.02, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "torchvision.models:resnet18:num_classes=10",
        "torchvision.models:mobilenet_v3_small:num_classes=10",
        "torchvision.models:squeezenet1_1:num_classes=10",
        "torchvision.models:alexnet:num_classes=10",
    ],
)
def test_nets_that_others_wrote_run_unchanged(name: str) -> None:
    model = build_model(str(identify(name)[0])).eval()
    logits = model(torch.rand(2, 1, 28, 28))
    assert logits.shape == (2, 10)
    assert logits.isfinite().all()


FAULTS = {
    "Absent": ("has no class or function 'Absent'; it defines Wrong, Raises", NET),
    "Wrong": (r"with \(2, 7\); it must be \(2, 10\).*last layer", ""),
    "Raises": ("faults.py, line 12: no such thing", ""),
    "Needs": ("missing 1 required.*'width'.*:name=value; it takes width", ""),
    "NotFinite": ("not finite before training", ""),
    "Complex": ("answers with complex numbers; logits are real", ""),
    "a_list": ("gave a list; a model is a torch.nn.Module", ""),
}
FAULTY = """
from torch import nn

class Wrong(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 7))

class Raises(nn.Module):
    def forward(self, x):
        return self.helper(x)
    def helper(self, x):
        raise RuntimeError("no such thing")

class Needs(nn.Module):
    def __init__(self, width):
        super().__init__()

class NotFinite(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))
    def forward(self, x):
        return super().forward(x) / 0

class Complex(Wrong):
    def __init__(self):
        super().__init__()
        self[1] = nn.Linear(784, 10)
    def forward(self, x):
        return super().forward(x) * 1j

def a_list():
    return [1]
"""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_in_terms_of_the_persons_file(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, FAULTY, "faults.py")
    with pytest.raises(UsageError, match=FAULTS[name][0]) as refusal:
        build_model(f"{path}:{name}")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:\n", "my_net.py, line 1: invalid syntax"),
        ("import nowhere_at_all\n", "cannot be run: my_net.py, line 1: No module named"),
    ],
)
def test_a_file_that_cannot_be_run_is_told_by_line(text: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError, match=message):
        identify(f"{path}:MyNet")


@pytest.mark.slow
def test_it_is_compared_like_any_other_and_rebuilt_while_its_file_is_the_same(
    tmp_path: Path, call_cli: Callable[..., Result]
) -> None:
    path = write(tmp_path, NET)
    quick = ["compare", "--dataset", "silhouettes", "--epochs", "1", "--seeds", "1"]
    answer = call_cli(*quick, "--models", "my_net.py:MyNet:width=4,v0")
    assert answer.exit_code == 0, answer.stderr
    assert "my_net.py:MyNet:width=" in answer.stdout
    (checkpoint,) = (tmp_path / "runs" / "silhouettes" / "checkpoints").glob("my*.safetensors")
    show = f"import fashionbench as fb; print(fb.load_model({str(checkpoint)!r}))"
    shown = subprocess.run([sys.executable, "-c", show], cwd=tmp_path, capture_output=True)
    assert b"out_features=4" in shown.stdout
    path.write_text(path.read_text() + "# changed\n")
    with pytest.raises(StoreError, match="has changed since"):
        load_model(checkpoint)
    path.unlink()
    with pytest.raises(UsageError, match=r"There is no file my_net\.py"):
        load_model(checkpoint)
    with pytest.raises(FashionbenchError, match="no file"):
        identify(f"{path}:MyNet")


BLOCKS = """
from torch import nn

WIDTH = 4

def activation():
    return nn.ReLU()

class Block(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, WIDTH), activation(), nn.Linear(WIDTH, 10))

def unrelated():
    return 1
"""
USING = """
import blocks
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = blocks.Block()
    def forward(self, x):
        return self.block(x)
"""


EDITS = [
    ("nn.Linear(784, WIDTH), act", "nn.Linear(784, WIDTH), nn.Dropout(), act", True),
    ("nn.ReLU()", "nn.GELU()", True),
    ("WIDTH = 4", "WIDTH = 5", True),
    ("return 1", "return 2", False),
]
"""What stands in the file, what takes its place, and whether that makes another model."""


@pytest.mark.slow
def test_an_edited_part_in_another_file_makes_another_model(tmp_path: Path) -> None:
    write(tmp_path, USING, "using_blocks.py")
    program = (
        "from fashionbench.models.identity import identify\n"
        "for reference in ('using_blocks.py:Net', 'using_blocks:Net'):\n"
        "    print(identify(reference)[1])"
    )

    def digests(blocks: str) -> list[str]:
        """Of the net by its file and by its module, in a new process that has seen no other."""
        write(tmp_path, blocks, "blocks.py")
        answer = subprocess.run(
            [sys.executable, "-B", "-c", program], cwd=tmp_path, capture_output=True, text=True
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.split()

    before = digests(BLOCKS)
    assert len(before) == 2
    for old, new, matters in EDITS:
        after = digests(BLOCKS.replace(old, new))
        differ = [one != other for one, other in zip(before, after, strict=True)]
        assert differ == [matters, matters], new
    assert digests(BLOCKS) == before


def test_what_a_model_counts_or_collects_is_no_part_of_its_source(tmp_path: Path) -> None:
    counting = """
    from torch import nn
    made, seen = 0, []
    class Net(nn.Sequential):
        def __init__(self):
            global made
            made += 1
            seen.append(made)
            super().__init__(nn.Flatten(), nn.Linear(784, 10))
    """
    write(tmp_path, counting, "counting_nets.py")
    sys.path.insert(0, str(tmp_path))
    try:
        before = identify("counting_nets:Net")
        build_model("counting_nets:Net")
        assert identify("counting_nets:Net") == before
    finally:
        sys.path.remove(str(tmp_path))


def test_a_model_edited_while_runs_are_made_is_not_kept_under_the_old_name(
    tmp_path: Path, silhouettes: Dataset
) -> None:
    path = write(tmp_path, NET)
    study = plan([f"{path}:MyNet"], ["default"], 2, dataset="silhouettes", epochs=1)
    ((first, second),) = study.entries()
    store = RunStore(tmp_path / "runs", create=True)
    run_job(first, silhouettes, torch.device("cpu"), store)
    write(tmp_path, NET.replace("nn.ReLU()", "nn.GELU()"))
    with pytest.raises(UsageError, match="changed since the comparison began; finished runs"):
        run_job(second, silhouettes, torch.device("cpu"), store)
    assert store.load_run(second) is None


@pytest.mark.parametrize(
    "reference",
    ["os:system", "subprocess:getoutput", f"{subprocess.__file__}:getoutput", "trap.py:system"],
)
def test_what_a_foreign_file_names_is_not_run(
    reference: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "from os import system", "trap.py")
    argument = "cmd" if "getoutput" in reference else "command"
    job = Job(
        model=f"{reference}:{argument}=touch was-run",
        model_source=str(digest_source(locate(reference), reference)),
        recipe=load_recipe("default"),
        seed=0,
        dataset="silhouettes",
    )
    save_model(nn.Linear(1, 1), tmp_path / "model.safetensors", ModelFacts(job=job))
    with pytest.raises(UsageError, match="is not run: it is neither"):
        load_model(tmp_path / "model.safetensors")
    assert not (tmp_path / "was-run").exists()


def test_a_changed_file_is_not_run_when_its_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, NET)
    spec, source = identify("my_net.py:MyNet")
    job = Job(
        model=str(spec),
        model_source=str(source),
        recipe=load_recipe("default"),
        seed=0,
        dataset="silhouettes",
    )
    save_model(build_model(str(spec)), tmp_path / "model.safetensors", ModelFacts(job=job))
    assert isinstance(load_model(tmp_path / "model.safetensors"), nn.Module)
    write(tmp_path, NET + "open('was-run', 'w')\n")
    with pytest.raises(StoreError, match="has changed since"):
        load_model(tmp_path / "model.safetensors")
    assert not (tmp_path / "was-run").exists()


def test_a_model_that_cannot_be_had_is_told_before_data_is_looked_for(
    tmp_path: Path, call_cli: Callable[..., Result]
) -> None:
    write(tmp_path, FAULTY)
    answer = call_cli("compare", "--models", "my_net.py:Wrong", "--data", "nowhere")
    assert answer.exit_code == 2
    assert "it must be (2, 10)" in answer.stderr


CHANGES = {
    "FromDict": ('"width": 8', '"width": 9'),
    "FromNamespace": ("SimpleNamespace(width=8)", "SimpleNamespace(width=9)"),
    "FromEnvironment": ("WIDTH_OF_A_TEST", "9"),
    "FromFile": ("net.json", '{"factor": 2}'),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_a_run_belongs_to_what_was_built_not_to_its_source_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net.json").write_text('{"factor": 1}')
    # Its settings come from elsewhere: no text of the file itself changes.
    settings = 'CONFIG = {"width": 8}\nfrom types import SimpleNamespace\n'
    (tmp_path / "settings_of_a_test.py").write_text(f"{settings}SPACE = SimpleNamespace(width=8)\n")
    source = (Path(__file__).parent / "own_nets.py").read_text("utf-8")
    source = source.replace('CONFIG = {"width": 8}', "from settings_of_a_test import CONFIG")
    source = source.replace("SPACE = SimpleNamespace(width=8)", "import settings_of_a_test as s")
    source = source.replace("SPACE.width", "s.SPACE.width")
    path = write(tmp_path, source)
    before = identify(f"{path}:{name}")
    assert identify(f"{path}:{name}") == before
    others = {other: identify(f"{path}:{other}") for other in CHANGES if other != name}
    old, new = CHANGES[name]
    if name == "FromEnvironment":
        monkeypatch.setenv(old, new)
    elif name == "FromFile":
        (tmp_path / old).write_text(new)
    else:
        beside = tmp_path / "settings_of_a_test.py"
        beside.write_text(beside.read_text().replace(old, new))
    assert identify(f"{path}:{name}") != before
    assert {other: identify(f"{path}:{other}") for other in others} == others


@pytest.mark.slow
def test_the_identity_holds_no_bit_of_a_weight_and_no_seed(tmp_path: Path) -> None:
    path = shutil.copy(Path(__file__).parent / "own_nets.py", tmp_path / "mine.py")
    for name in ("Plain", "RandomFeatures", "UnseededArray", "DrawnWidth", "OwnGenerator"):
        assert identify(f"{path}:{name}") == identify(f"{path}:{name}"), name


@pytest.mark.slow
def test_an_identity_is_the_same_in_every_process(tmp_path: Path) -> None:
    path = shutil.copy(Path(__file__).parent / "own_nets.py", tmp_path / "mine.py")
    program = (
        f"from fashionbench.models.identity import identify; print(identify('{path}:Tied')[1])"
    )
    for variables in ({}, {"PYTHONHASHSEED": "1", "ATEN_CPU_CAPABILITY": "default"}):
        answer = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            env=os.environ | variables,
        )
        assert answer.stdout.strip() == str(identify(f"{path}:Tied")[1]), answer.stderr


@pytest.mark.slow
def test_five_seeds_of_a_net_without_convolutions_train(
    tmp_path: Path, call_cli: Callable[..., Result]
) -> None:
    write(tmp_path, NET)
    quick = ["--dataset", "silhouettes", "--epochs", "1", "--train-images", "500"]
    answer = call_cli("compare", *quick, "--models", "my_net.py:MyNet")
    assert answer.exit_code == 0, answer.stderr
    settings = {"dataset": "silhouettes", "epochs": 1, "train_images": 500}
    study = plan(["my_net.py:MyNet"], ["default"], 5, **settings)
    store = RunStore(tmp_path / "runs" / "silhouettes")
    ((*jobs,),) = study.entries()
    ways = [store.load_run(job).environment.way for job in jobs]
    assert "stacked with 2" in ways


class OneNumber(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(784, 10))
        self.register_buffer("scales", torch.tensor(0.5).expand(10))


def test_a_buffer_of_one_number_seen_many_times_can_be_written_to() -> None:
    one, other = (build_model(str(identify(OneNumber)[0]), seed) for seed in (0, 1))
    one.load_state_dict(other.state_dict())
    assert one.scales.tolist() == [0.5] * 10


def test_a_project_may_be_moved(tmp_path: Path) -> None:
    sources = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        path = shutil.copy(Path(__file__).parent / "own_nets.py", tmp_path / folder / "mine.py")
        (tmp_path / folder / "net.json").write_text('{"factor": 1}')
        names = ("Plain", "SharedDict", "FromFile", "FromEnvironment", "Tied")
        sources.append([identify(f"{path}:{name}")[1] for name in names])
    assert sources[0] == sources[1]
