"""What somebody else wrote is right, refused or remarked on, but never silently wrong."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fashionbench.config.study import Job
from fashionbench.core.logits import infer
from fashionbench.data.split import Dataset, Split
from fashionbench.errors import StoreError, UsageError
from fashionbench.experiments import gate
from fashionbench.experiments.gate import builder, examine, examine_trained
from fashionbench.experiments.planning import plan
from fashionbench.experiments.resume import train_in_folder
from fashionbench.experiments.run import run_job
from fashionbench.models.build import build_model
from fashionbench.models.checkpoint import checkpoint_path, load_model
from fashionbench.store.records import RunRecord
from fashionbench.store.run_store import RunStore
from fashionbench.training.evaluation import evaluate
from fashionbench.training.many_seeds.trial import why_not_stackable

# Torch would have the older weight norm forgotten; people still use it.
pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated")

NETS = Path(__file__).parent / "own_nets.py"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def small(silhouettes: Dataset) -> Dataset:
    train = Split(silhouettes.train.images[:300], silhouettes.train.labels[:300])
    test = Split(silhouettes.test.images[:200], silhouettes.test.labels[:200])
    return Dataset("silhouettes", silhouettes.title, silhouettes.classes, train, test)


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    """A person's file, in a folder of its own."""
    (tmp_path / "nets").mkdir()
    return Path(shutil.copy(NETS, tmp_path / "nets" / "mine.py"))


def job_of(file: Path, name: str, seed: int = 0, **settings: object) -> Job:
    study = plan(
        [f"{file}:{name}"], ["default"], [seed], dataset="silhouettes", epochs=1, **settings
    )
    ((job,),) = study.entries()
    return job


def trained(file: Path, name: str, small: Dataset, **settings: object) -> tuple[RunRecord, Path]:
    store = RunStore(file.parent / "runs", create=True)
    job = job_of(file, name, **settings)
    return run_job(job, small, CPU, store), checkpoint_path(store.folder, job)


REMARKED = {
    "PlainList": {"untrained": "more holds weights"},
    "LooseTensor": {"untrained": "gain holds weights"},
    "TwoAnswers": {"several answers": "the one called logits, or else the first, is used"},
    "AlwaysTwo": {"several answers": "the one called logits, or else the first, is used"},
    "SoftmaxOut": {"squeezed": "return the values before the softmax"},
    "SigmoidOut": {"squeezed": "return the values before the sigmoid"},
    "LogSoftmaxOut": {"log-softmax": "a second one changes nothing, so its scores are right"},
    "SilentSwitch": {"in eval mode": "norm stays in eval mode in training"},
    "HalfFrozen": {"frozen": r"12,560 of its 12,730 parameters are frozen .* in a.weight, a.bias"},
    "Unseeing": {"blind": "all images the same answer, even after a step"},
    "OverTheBatch": {"batch": "look for a softmax"},
    "CentredOnTheBatch": {"batch": "a mean"},
    "BatchStatistics": {"batch": "batch statistics in scoring"},
    "Squeezed": {"batch": r"squeeze\(\)"},
    "DropsAlways": {"random": "training=self.training"},
    "NoiseAlways": {"random": "in it draws at random or keeps"},
    "UnseededArray": {"trained anew": "no seed of this program fixes"},
    "Unseeded": {"trained anew": "no seed of this program fixes"},
    "Counting": {"shared": r"changes Counting\.steps, which all networks of its kind"},
    "SharedDict": {"shared": "changes SharedDict.<WARMTH>"},
}
RIGHT = [
    *("Plain", "InBuffers", "RandomFeatures", "RandomArray", "DrawnWidth", "Activations", "Tied"),
    *("FlatView", "MixedUpView", "FiveDimensions", "OldNorm", "NewNorm", "Pruned", "Uncopyable"),
    *("Lazy", "FirstBatch", "HeadFirst", "ZeroHead", "DropsByPython"),
    *("DropsByNumPy", "seeded"),
]
UNLOADABLE = {
    "RunningMean": "mean, which is neither",
    "UnsavedBuffer": "mean, which is neither",
    "Scale": "scale, which is neither",
    "Memory": "seen, which is neither",
    "LateStart": "ready, which is neither",
}
REFUSED = {
    "Frozen": "All layers of .* are frozen",
    "NoParameters": "has no parameters.*layers holds its layers where torch overlooks them",
    "NoGradient": "carry no gradient to its parameters; look for torch.no_grad",
    "FitsItself": "FitsItself.train is a method of its own",
    "PartFitsItself": "FitsItself.train is a method of its own",
    "TrainOnly": r"with \(4, 20\) in training",
    "FeaturesFirst": r"several tensors, and the first, \(2, 16\), holds no logits",
}


@pytest.mark.parametrize("name", REMARKED)
def test_what_may_be_meant_is_remarked_on(name: str, nets: Path, small: Dataset) -> None:
    remarks = examine(job_of(nets, name), small).remarks
    ((kind, said),) = REMARKED[name].items()
    assert [*remarks] == [kind]
    assert re.search(said, remarks[kind])


@pytest.mark.slow
@pytest.mark.parametrize("name", [*RIGHT, *UNLOADABLE])
def test_what_is_right_raises_no_false_alarm(name: str, nets: Path, small: Dataset) -> None:
    assert examine(job_of(nets, name), small).remarks == {}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trained_is_refused_in_a_sentence(
    name: str, nets: Path, small: Dataset
) -> None:
    with pytest.raises(UsageError, match=REFUSED[name]) as refusal:
        examine(job_of(nets, name), small)
    assert "\n" not in str(refusal.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_trained_kept_and_loaded_again(
    name: str, nets: Path, small: Dataset
) -> None:
    record, path = trained(nets, name, small)
    assert record.remarks == {}
    logits = infer(load_model(path), small.test.images)
    assert np.array_equal(logits.argmax(axis=1), record.predicted)


@pytest.mark.parametrize("name", UNLOADABLE)
def test_a_score_is_kept_where_its_model_cannot_be(name: str, nets: Path, small: Dataset) -> None:
    record, path = trained(nets, name, small)
    assert record.scores.accuracy > 0
    assert UNLOADABLE[name] in record.remarks["not loadable"]
    assert "register_buffer" in record.remarks["not loadable"]
    with pytest.raises(StoreError, match="cannot be loaded again, since"):
        load_model(path)


def test_random_features_are_those_of_the_runs_own_seed(nets: Path, small: Dataset) -> None:
    record, path = trained(nets, "RandomFeatures", small, seed=5)
    model = load_model(path)
    assert evaluate(model, small.test).accuracy == pytest.approx(record.scores.accuracy)


@pytest.mark.parametrize("name", ["OverTheBatch", "CentredOnTheBatch", "BatchStatistics"])
def test_the_score_one_image_at_a_time_stands_beside_that_of_batches(
    name: str, nets: Path, small: Dataset
) -> None:
    record, path = trained(nets, name, small)
    model, right = load_model(path), 0
    for image, label in zip(small.test.images, small.test.labels, strict=True):
        try:
            logits = model(image.view(1, 1, 28, 28).float() / 255)
        except ValueError:  # batch normalization over one
            assert record.accuracy_one_by_one is None
            return
        right += int(logits.argmax()) == int(label)
    assert record.accuracy_one_by_one == right / len(small.test)


def test_a_model_that_is_random_in_scoring_is_not_called_unloadable(
    nets: Path, small: Dataset
) -> None:
    record, path = trained(nets, "DropsAlways", small)
    assert [*record.remarks] == ["random"]
    assert load_model(path) is not None


@pytest.mark.parametrize("name", ["DropsByPython", "DropsByNumPy"])
def test_a_seed_fixes_what_python_and_numpy_draw(name: str, nets: Path, small: Dataset) -> None:
    first, _ = trained(nets, name, small)
    np.random.rand()  # whatever came before
    second, _ = trained(nets, name, small)
    assert np.array_equal(first.losses, second.losses)


@pytest.mark.slow
def test_seeds_that_begin_alike_are_known_by_their_records(nets: Path, small: Dataset) -> None:
    def starts(name: str) -> set[str]:
        return {trained(nets, name, small, seed=seed)[0].first_weights for seed in (0, 1)}

    for name in ("seeded", "seeded_inside_everything", "silent"):
        assert len(starts(name)) == 1
    assert len(starts("Plain")) == 2


@pytest.mark.parametrize("check", ["_check_independence", "_check_end", "_check_seed"])
def test_each_check_is_what_finds_it(
    check: str, nets: Path, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    finds = {
        "_check_independence": "OverTheBatch",
        "_check_end": "SoftmaxOut",
        "_check_seed": "Unseeded",
    }
    job = job_of(nets, finds[check])
    assert examine(job, small).remarks
    monkeypatch.setattr(gate, check, lambda *_: iter(()))
    assert not examine(job, small).remarks


def test_the_models_of_the_table_are_asked_for_their_cost_alone(small: Dataset) -> None:
    study = plan(["v2"], ["default"], 1, dataset="silhouettes")
    ((job,),) = study.entries()
    found = examine(job, small)
    assert found.remarks == {}
    # Four convolutions at 28x28 and 14x14, of 1 and 10 channels, and the linear layer.
    flops = 2 * (9 * (10 + 100) * 28**2 + 9 * 200 * 14**2 + 490 * 10)
    assert found.flops == flops


def test_a_trained_model_is_asked_with_the_images_of_its_test(small: Dataset) -> None:
    class Odd(nn.Module):
        """Depends on its batch for bright images alone."""

        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(784, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits = self.fc(x.flatten(1))
            return logits - logits.mean(0) if x.mean() > 0.9 else logits

    dark = torch.zeros(16, 28, 28, dtype=torch.uint8)
    assert examine_trained(Odd(), dark) == {}
    assert [*examine_trained(Odd(), dark + 255)] == []
    noisy = torch.randint(235, 255, (16, 28, 28), dtype=torch.uint8)
    assert [*examine_trained(Odd(), noisy)] == ["batch"]


class InPlace(nn.Module):
    """Scales the images that it is given, and not copies of them."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.fc = nn.Linear(channels * 784, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x -= 0.5
        x /= 0.25
        return self.fc(x.flatten(1))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_model_may_change_the_images_that_it_is_given(channels: int, small: Dataset) -> None:
    study = plan([InPlace], ["default"], 1, dataset="silhouettes", epochs=1)
    ((job,),) = study.entries()
    job = job.model_copy(update={"model": f"{job.model}:channels={channels}"})
    assert examine(job, small).remarks == {}
    assert examine_trained(builder(job, small)(0), small.test.images) == {}
    assert why_not_stackable(builder(job, small), small.train, job.recipe) is None


class MoreToSave(InPlace):
    """Keeps in its state_dict what is no tensor."""

    def get_extra_state(self) -> dict[str, int]:
        return {"steps": 3}

    def set_extra_state(self, state: dict[str, int]) -> None: ...


class Late(InPlace):
    """Makes a layer when it is too late for an optimizer to know it."""

    def __init__(self) -> None:
        super().__init__()
        self.more = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.more is None:
            self.more = nn.Linear(10, 10)
        return self.more(super().forward(x))


def job_of_class(kind: type[nn.Module]) -> Job:
    ((job,),) = plan([kind], ["default"], 1, dataset="silhouettes", epochs=1).entries()
    return job


def test_a_state_that_is_no_tensor_is_refused(small: Dataset) -> None:
    with pytest.raises(UsageError, match=r"more than tensors \(_extra_state\)"):
        examine(job_of_class(MoreToSave), small)


def test_a_layer_that_is_made_too_late_is_remarked_on(small: Dataset) -> None:
    remarks = examine(job_of_class(Late), small).remarks
    assert [*remarks] == ["late"]
    assert "makes more.weight, more.bias while it answers" in remarks["late"]


class RandomOnceTrained(InPlace):
    """Draws in scoring too, but only when it has been trained for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.steps += self.training
        return nn.functional.dropout(super().forward(x), training=bool(self.steps > 5))


@pytest.mark.slow
def test_a_model_that_turns_random_in_training_is_not_called_unloadable(
    tmp_path: Path, small: Dataset
) -> None:
    job = job_of_class(RandomOnceTrained)
    store = RunStore(tmp_path, create=True)
    assert [*run_job(job, small, CPU, store).remarks] == ["random"]
    load_model(checkpoint_path(tmp_path, job))


class Faint(InPlace):
    """Draws where no seed reaches, in gradients that are small."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale = np.random.default_rng().uniform(0.5, 1.5) if self.training else 1.0
        return 1e-4 * scale * super().forward(x)


def test_a_step_is_compared_as_a_part_of_itself(small: Dataset) -> None:
    assert [*examine(job_of_class(Faint), small).remarks] == ["trained anew"]


def test_what_fitted_of_a_file_of_weights_is_known_before_training(
    tmp_path: Path, small: Dataset
) -> None:
    torch.save(build_model("mlp", seed=9).state_dict(), tmp_path / "w.pt")
    ((job,),) = plan(
        ["mlp"], ["default"], 1, weights=tmp_path / "w.pt", dataset="silhouettes", epochs=1
    ).entries()
    (said,) = examine(job, small).sentences("MLP")
    assert said.startswith(f"mlp:weights={tmp_path / 'w.pt'}: ")
    assert "tensors matched" in said


WATCHED = """
from pathlib import Path
from torch import nn

Path({mark!r}).touch()

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))

def darker(images, uniform, strength):
    return images * 0.5
"""


@pytest.mark.slow
@pytest.mark.parametrize("ask", [run_job, examine, train_in_folder])
@pytest.mark.parametrize("part", ["model", "augmentation"])
def test_of_a_file_edited_since_the_plan_no_code_is_run(
    ask: Callable[..., object], part: str, tmp_path: Path, small: Dataset
) -> None:
    file, before, after = (tmp_path / name for name in ("mine.py", "before", "after"))
    file.write_text(WATCHED.format(mark=str(before)))
    model = f"{file}:Net" if part == "model" else "linear"
    changes = f"{file}:darker" if part == "augmentation" else None
    study = plan(
        model, "default", 1, dataset="silhouettes", device="cpu", epochs=1, augmentation=changes
    )
    ((job,),) = study.entries()
    assert before.exists()
    file.write_text(WATCHED.format(mark=str(after)))
    arguments = {
        run_job: (small, CPU, RunStore(tmp_path / "runs", create=True)),
        examine: (small,),
        train_in_folder: (tmp_path / "run",),
    }
    with pytest.raises(UsageError, match="has changed since the comparison began"):
        ask(job, *arguments[ask])
    assert not after.exists()
