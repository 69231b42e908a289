"""Weights from files: what fits goes in, and the net computes what its publisher's net does."""

import argparse
import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import own_nets
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from fashionbench.config.recipe import load_recipe
from fashionbench.config.study import Job
from fashionbench.errors import UsageError
from fashionbench.experiments.planning import plan
from fashionbench.models.adapter import Adapter
from fashionbench.models.build import build_model
from fashionbench.models.checkpoint import load_model, save_model
from fashionbench.models.facts import ModelFacts
from fashionbench.models.identity import identify
from fashionbench.models.weights import copy_matching, load_weights, read_weights

IMAGES = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A file like those of CIFAR-10 nets: wrapped, prefixed, three channels, ten classes."""
    weights = build_model("resnet20:channels=3:width=4", seed=7).net.state_dict()
    path = tmp_path / "published.th"
    wrapped = {"state_dict": {f"module.{key}": value for key, value in weights.items()}}
    torch.save(wrapped | {"best_prec1": 91.7}, path)
    return path


def test_a_net_for_grey_answers_as_the_coloured_one_with_its_channel_repeated(
    published: Path,
) -> None:
    weights = read_weights(str(published))
    grey, repeated = build_model("resnet20:width=4"), build_model("resnet20:channels=3:width=4")
    copy_matching(grey, weights)
    copy_matching(repeated, weights)
    coloured = build_model("resnet20:channels=3:width=4", seed=7).eval()
    assert isinstance(coloured, Adapter)
    torch.testing.assert_close(grey.eval()(IMAGES), coloured(IMAGES))
    torch.testing.assert_close(repeated.eval()(IMAGES), coloured(IMAGES), rtol=0, atol=0)


@pytest.mark.parametrize(("classes", "head"), [(3, ""), (10, ":head=new")])
def test_the_head_is_new_with_other_classes_or_where_asked_and_the_report_says_so(
    published: Path, classes: int, head: str
) -> None:
    told: list[str] = []
    name = f"resnet20:width=4:weights={published}{head}"
    model = build_model(name, seed=1, classes=classes, tell=told.append)
    fresh = build_model("resnet20:width=4", seed=1, classes=classes)
    assert model(IMAGES).shape == (4, classes)
    assert torch.equal(model.linear.weight, fresh.linear.weight)
    assert torch.equal(model.linear.bias, fresh.linear.bias)
    assert not torch.equal(model.layer1[0].conv1.weight, fresh.layer1[0].conv1.weight)
    assert "new as the head: linear.weight, linear.bias" in told[0]
    assert "summed over their channels: conv1.weight" in told[0]
    assert str(published) in told[0]


def test_the_head_is_kept_with_as_many_classes_and_the_report_says_so(published: Path) -> None:
    told: list[str] = []
    model = build_model(f"resnet20:width=4:weights={published}", seed=1, tell=told.append)
    assert torch.equal(model.linear.weight, read_weights(str(published))["linear.weight"])
    assert "kept as the head (head=new begins it anew): linear.weight, linear.bias" in told[0]


def test_runs_that_keep_the_head_are_others_than_those_of_before(published: Path) -> None:
    """Which began with a new one under the same name."""
    name = f"resnet20:width=4:weights={published}"
    sources = [identify(name)[1], identify(f"{name}:head=new")[1]]
    assert len({source.weights for source in sources}) == 2


def test_what_one_side_alone_has_is_listed() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    weights = {"0.weight": torch.ones(4, 3), "0.bias": torch.ones(4), "9.x": torch.ones(1)}
    fitted = copy_matching(model, weights)
    assert fitted.taken == ["0.weight", "0.bias"]
    assert fitted.missing == ["1.weight", "1.bias"]
    assert fitted.unused == ["9.x"]
    assert torch.equal(model[0].weight, torch.ones(4, 3))


@pytest.mark.parametrize("wrap", ["", "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod."])
def test_wrappings_and_prefixes_fall_away(wrap: str, prefix: str, tmp_path: Path) -> None:
    weights = {f"{prefix}a": torch.arange(3.0)}
    torch.save({wrap: weights} if wrap else weights, tmp_path / "w.pt")
    assert [*read_weights(str(tmp_path / "w.pt"))] == ["a"]


@pytest.mark.parametrize(
    "prefix",
    [
        "model.",
        "net.",
        "net.0.",
        "_orig_mod.module.",
        "module._orig_mod.",
        "backbone.body.net.",
    ],
)
def test_a_prefix_that_all_names_share_is_taken_off(prefix: str, tmp_path: Path) -> None:
    theirs = build_model("resnet20:width=4", seed=7)
    weights = {f"{prefix}{key}": value for key, value in theirs.state_dict().items()}
    torch.save(weights, tmp_path / "w.pt")
    told: list[str] = []
    ours = build_model(f"resnet20:width=4:weights={tmp_path / 'w.pt'}", tell=told.append)
    for name, tensor in ours.state_dict().items():
        assert torch.equal(tensor, theirs.state_dict()[name]), name
    assert "lacks them" not in told[0]
    assert "in the file alone: linear" not in told[0]


def test_a_checkpoint_of_lightning_is_taken_with_its_metrics_beside_the_net(tmp_path: Path) -> None:
    """The module's attribute is the prefix; torchmetrics and the loss's weights are saved too."""
    theirs = build_model("lenet", seed=7)
    state = {f"model.{key}": value for key, value in theirs.state_dict().items()}
    state |= {"criterion.weight": torch.ones(10), "val_accuracy.tp": torch.zeros(10)}
    checkpoint = {"epoch": 2, "pytorch-lightning_version": "2.6.0", "state_dict": state}
    checkpoint |= {"optimizer_states": [{"state": {}}], "hyper_parameters": {"lr": 0.1}}
    torch.save(checkpoint, tmp_path / "epoch=2.ckpt")
    told: list[str] = []
    name = f"lenet:weights={tmp_path / 'epoch=2.ckpt'}"
    ours = build_model(name, tell=told.append, whole=True)
    torch.testing.assert_close(ours(IMAGES), theirs(IMAGES))
    assert "in the file alone: criterion.weight, val_accuracy.tp" in told[0]


def test_a_checkpoint_of_timm_is_taken(tmp_path: Path) -> None:
    """Under `state_dict`, with the names of DataParallel, and the running mean beside it."""
    theirs = build_model("lenet", seed=7)
    state = {f"module.{key}": value for key, value in theirs.state_dict().items()}
    mean = {key: value + 1 for key, value in state.items()}
    torch.save({"arch": "x", "state_dict": state, "state_dict_ema": mean}, tmp_path / "w.pth.tar")
    ours = build_model(f"lenet:weights={tmp_path / 'w.pth.tar'}", whole=True)
    torch.testing.assert_close(ours(IMAGES), theirs(IMAGES))


def test_a_whole_module_is_refused_with_the_remedy(tmp_path: Path) -> None:
    torch.save(own_nets.Plain(), tmp_path / "net.pt")
    with pytest.raises(UsageError, match=r"own_nets\.Plain.*weights_only=False\)\.state_dict\(\)"):
        read_weights(str(tmp_path / "net.pt"))


def test_what_is_in_the_file_alone_is_listed_by_name(tmp_path: Path) -> None:
    """A safetensors file gives its tensors in an order that is drawn anew each time."""
    weights = {f"x{number}": torch.ones(1) for number in range(30)}
    given = {name: weights[name] for name in sorted(weights, key=hash)}
    assert copy_matching(nn.Linear(1, 1), given).unused == sorted(weights)


@pytest.mark.parametrize("prefix", ["layer_stack.", "1."])
def test_a_prefix_that_belongs_to_the_model_stays(prefix: str, tmp_path: Path) -> None:
    """V0's names all begin with layer_stack, and so do their fitting ones."""
    weights = build_model("mlp", seed=7).state_dict()
    assert {name.split(".")[0] for name in weights} == {"layer_stack"}
    inner = {name.removeprefix("layer_stack."): value for name, value in weights.items()}
    torch.save({f"{prefix}{name}": value for name, value in inner.items()}, tmp_path / "w.pt")
    name = f"mlp:weights={tmp_path / 'w.pt'}"
    if prefix == "1.":
        with pytest.raises(UsageError, match=r"The file holds, for example, 1\.1\.weight"):
            build_model(name)
    else:
        first = next(iter(weights))
        assert torch.equal(build_model(name).state_dict()[first], weights[first])


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda weights: {"params": weights},
        lambda weights: {"model_state": weights, "epoch": 3},
        lambda weights: {"ema": {"params": weights}, "step": torch.tensor(7)},
        lambda weights: {"a": {"b": {"c": {"d": weights}}}},
        lambda weights: {"mean": torch.rand(3), "std": torch.rand(3), "network": weights},
        lambda weights: {
            "optimizer": {"state": {0: {"exp_avg": torch.rand(4, 4)}}, "param_groups": [{"lr": 1}]},
            "weights_of_the_model": weights,
        },
        lambda weights: {"optim_state": {"momentum": torch.rand(4, 4)}, "x": weights},
        lambda weights: {"trainer": {0: {"w": torch.rand(4, 4)}}, "x": weights},
        lambda weights: {"model": {"state_dict": weights, "args": {"width": 4}}},
        lambda weights: {"ema": {k: v + 1 for k, v in weights.items()}, "model": weights},
    ],
)
def test_tensors_are_found_at_whatever_key(wrapped, tmp_path: Path) -> None:
    weights = build_model("lenet", seed=7).state_dict()
    torch.save(wrapped(weights), tmp_path / "w.pt")
    read = read_weights(str(tmp_path / "w.pt"))
    assert [*read] == [*weights]
    assert all(torch.equal(read[name], weights[name]) for name in weights)


@pytest.mark.parametrize(
    "beside",
    [
        np.float64(91.7),
        np.float32(0.25),
        np.int64(3),
        np.bool_(True),
        np.str_("best"),
        np.arange(4),
        np.array([1.5, "a"], dtype=object),
        [np.float64(1), {"of": np.uint8(2)}],
        argparse.Namespace(lr=0.1, out=Path("runs")),
        Path("runs"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_lies_beside_the_tensors_does_not_hinder(beside: object, tmp_path: Path) -> None:
    weights = {"a.weight": torch.rand(3, 4)}
    before = set(torch.serialization.get_safe_globals())
    torch.save({"best": beside, "state_dict": weights}, tmp_path / "w.pt")
    assert torch.equal(read_weights(str(tmp_path / "w.pt"))["a.weight"], weights["a.weight"])
    assert set(torch.serialization.get_safe_globals()) == before
    with pytest.raises(pickle.UnpicklingError):  # for others nothing has changed
        torch.load(tmp_path / "w.pt", weights_only=True)


def test_what_others_have_allowed_stays_allowed(tmp_path: Path) -> None:
    """The context of torch forgets at its end what was allowed before it."""
    torch.save({"args": argparse.Namespace(lr=1), "w": torch.rand(3, 4)}, tmp_path / "w.pt")
    with torch.serialization.safe_globals([argparse.Namespace]):
        read_weights(str(tmp_path / "w.pt"))
        assert torch.load(tmp_path / "w.pt", weights_only=True)["args"].lr == 1


def test_numbers_that_an_older_numpy_wrote_are_read(tmp_path: Path) -> None:
    """Before 2.0 the function that rebuilds them had another name."""
    torch.save({"best": np.float64(91.7), "w": {"a": torch.rand(3, 4)}}, tmp_path / "w.pt")
    with zipfile.ZipFile(tmp_path / "w.pt") as new, zipfile.ZipFile(tmp_path / "o.pt", "w") as old:
        for item in new.infolist():
            content = new.read(item)
            if item.filename.endswith("data.pkl"):
                assert b"numpy._core" in content
                content = content.replace(b"numpy._core", b"numpy.core")
            old.writestr(item, content)
    assert [*read_weights(str(tmp_path / "o.pt"))] == ["a"]


def quantized() -> dict[str, dict[str, object]]:
    matrix = torch.rand(4, 4)
    per_channel = torch.quantize_per_channel(
        matrix, torch.full((4,), 0.1), torch.zeros(4), 0, torch.qint8
    )
    return {
        "per tensor": {"a.weight": torch.quantize_per_tensor(matrix, 0.1, 0, torch.qint8)},
        "per channel": {"a.weight": per_channel, "a.bias": torch.rand(4)},
        "packed": {"a.scale": torch.tensor(1.0), "a._packed_params._packed_params": (matrix, None)},
        "whole": {"a.weight": (100 * matrix).to(torch.int8), "a.scale": torch.rand(4)},
        "4 bits in 32": {"a.qweight": (100 * matrix).to(torch.int32), "a.scales": torch.rand(4)},
    }


@pytest.mark.filterwarnings("ignore")  # torch is about to do without its own kind
@pytest.mark.parametrize("kind", ["per tensor", "per channel", "packed", "whole", "4 bits in 32"])
def test_quantized_weights_are_refused_in_a_sentence(kind: str, tmp_path: Path) -> None:
    torch.save({"state_dict": quantized()[kind]}, tmp_path / "w.pt")
    with pytest.raises(UsageError, match=r"holds quantized weights.*before it was") as refusal:
        read_weights(str(tmp_path / "w.pt"))
    assert "\n" not in str(refusal.value)


def test_whole_numbers_that_are_no_weights_do_not_hinder(tmp_path: Path) -> None:
    index = torch.arange(16).reshape(4, 4)
    torch.save({"a.weight": torch.rand(4, 4), "a.relative_position_index": index}, tmp_path / "w")
    assert len(read_weights(str(tmp_path / "w"))) == 2


def test_safetensors_are_read_too(tmp_path: Path) -> None:
    path = str(tmp_path / "w.safetensors")
    save_file({"a": torch.arange(3.0)}, path)
    assert torch.equal(read_weights(path)["a"], torch.arange(3.0))


class Payload:
    """What a malicious file would hold: code that runs when it is unpickled."""

    def __reduce__(self) -> tuple:
        return Path.touch, (Path("executed"),)


@pytest.mark.parametrize("name", ["resnet20:channels=3:width=4", "torchvision/squeezenet1_1"])
def test_a_wrapped_net_takes_its_own_weights_and_those_of_the_net_alone(
    name: str, tmp_path: Path
) -> None:
    name += ":pretrained=False" if "/" in name else ""
    theirs = build_model(name, seed=5)
    first = next(key for key in theirs.net.state_dict() if key.endswith("weight"))
    for state in (theirs.state_dict(), theirs.net.state_dict()):
        prefixed = {f"module.{key}": value for key, value in state.items()}
        save_file(prefixed, tmp_path / "w.safetensors")
        told: list[str] = []
        ours = build_model(f"{name}:weights={tmp_path / 'w.safetensors'}", seed=6, tell=told.append)
        assert torch.equal(ours.net.state_dict()[first], theirs.net.state_dict()[first]), told


def test_nothing_in_a_file_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Payload()}, "bad.pt")
    with pytest.raises(UsageError, match=r"bad\.pt holds an object of .*run code"):
        read_weights("bad.pt")
    assert not Path("executed").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"cannot be read \(No such file"),
        (b"nonsense", "neither a safetensors file nor one of tensors alone"),
        ({"epoch": 3}, "holds no tensors by name"),
        ({"a.weight": torch.ones(2, 2)}, r"No weight of .* matches v0.*a\.weight \(2, 2\)"),
    ],
)
def test_a_file_that_is_of_no_use_is_refused(content, message: str, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(UsageError, match=message) as refusal:
        build_model(str(identify(f"v0:weights={path}")[0]))
    assert "\n" not in str(refusal.value)


def test_the_files_content_is_part_of_what_a_run_is(published: Path) -> None:
    def key() -> str:
        ((job,),) = plan(
            ["resnet20:width=4"], ["default"], 1, dataset="silhouettes", weights=published
        ).entries()
        assert job.model == f"resnet20:weights={published}:width=4"
        return job.key

    before = key()
    assert key() == before
    torch.save({"conv1.weight": torch.zeros(4, 3, 3, 3)}, published)
    assert key() != before


def test_a_trained_model_is_rebuilt_without_the_file_it_began_with(
    published: Path, tmp_path: Path
) -> None:
    spec, source = identify(f"resnet20:width=4:weights={published}")
    job = Job(
        model=str(spec),
        model_source=str(source),
        recipe=load_recipe("default"),
        seed=0,
        dataset="silhouettes",
    )
    model = build_model(job.model).eval()
    facts = ModelFacts(job=job, classes=tuple("abcdefghij"))
    save_model(model, tmp_path / "trained.safetensors", facts)
    published.unlink()
    loaded = load_model(tmp_path / "trained.safetensors")
    torch.testing.assert_close(loaded(IMAGES), model(IMAGES))


# The published weights themselves


def find_published(depth: int) -> Path:
    folder = Path(os.environ.get("FASHIONBENCH_DATA", "")).parent / "weights"
    files = sorted(folder.glob(f"resnet{depth}-*.th"))
    if not files:
        pytest.skip("needs the published CIFAR-10 weights")
    return files[0]


def plain_resnet(weights: Mapping[str, Tensor], blocks: int, x: Tensor) -> Tensor:
    """He et al. 2015, section 4.2, written out from the paper over named tensors."""

    def normed(x: Tensor, name: str) -> Tensor:
        mean, variance, scale, shift = (
            weights[f"{name}.{part}"].view(1, -1, 1, 1)
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (variance + 1e-5).sqrt() * scale + shift

    x = normed(F.conv2d(x, weights["conv1.weight"], padding=1), "bn1").clamp(min=0)
    for stage in (1, 2, 3):
        for block in range(blocks):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = F.conv2d(x, weights[f"{name}.conv1.weight"], padding=1, stride=stride)
            y = normed(y, f"{name}.bn1").clamp(min=0)
            y = normed(F.conv2d(y, weights[f"{name}.conv2.weight"], padding=1), f"{name}.bn2")
            if stride == 2:  # option A
                x = x[:, :, ::2, ::2]
                zeros = torch.zeros_like(x[:, : x.shape[1] // 2])
                x = torch.cat([zeros, x, zeros], dim=1)
            x = (x + y).clamp(min=0)
    return x.mean(dim=(2, 3)) @ weights["linear.weight"].T + weights["linear.bias"]


@pytest.mark.parametrize("depth", [20, 56])
def test_the_published_net_computes_what_the_paper_says(depth: int) -> None:
    path = find_published(depth)
    kept = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    kept = {name.removeprefix("module."): tensor for name, tensor in kept.items()}
    model = build_model(f"resnet{depth}:channels=3")
    copy_matching(model, read_weights(str(path)))
    model = model.eval().double()
    wide = {name: tensor.double() for name, tensor in kept.items()}
    images = torch.rand(3, 3, 32, 32, dtype=torch.float64) * 4 - 2
    with torch.no_grad():
        expected = plain_resnet(wide, (depth - 2) // 6, images)
        torch.testing.assert_close(model.net(images), expected)
    # A trained net answers differently to different images.
    assert expected.std(dim=0).max() > 0.1


@pytest.mark.parametrize("depth", [20, 56])
def test_the_published_tensors_are_all_there_with_their_norms(depth: int) -> None:
    path = find_published(depth)
    kept = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    kept = {name.removeprefix("module."): tensor for name, tensor in kept.items()}
    model = build_model(f"resnet{depth}:channels=3")
    fitted, loaded = copy_matching(model, read_weights(str(path))), model.net.state_dict()
    assert fitted.missing == fitted.reshaped == fitted.unused == []
    # One counter of batches a norm is newer than the files.
    counters = {key for key in loaded if key.endswith("num_batches_tracked")}
    assert set(loaded) - set(kept) <= counters
    for key in set(loaded) & set(kept) - counters:
        assert loaded[key].shape == kept[key].shape
        assert loaded[key].norm() == kept[key].norm()
    assert len([key for key in loaded if "conv" in key]) == depth - 1


def test_where_no_layer_is_the_head_alone_none_is_taken_for_it(tmp_path: Path) -> None:
    first, second = own_nets.ParameterHead(), own_nets.ParameterHead()
    torch.save(first.state_dict(), tmp_path / "net.pt")
    fitted = load_weights(second, str(tmp_path / "net.pt"), "net", classes=10)
    assert fitted.head == []
    assert torch.equal(first.a.weight, second.a.weight)
    assert "none is new" in str(fitted)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    model = own_nets.Plain()
    with torch.no_grad():
        model.a.weight[0, 0] = torch.nan
    torch.save(model.state_dict(), tmp_path / "net.pt")
    with pytest.raises(UsageError, match=r"not finite, in a\.weight"):
        load_weights(own_nets.Plain(), str(tmp_path / "net.pt"), "net", classes=10)
