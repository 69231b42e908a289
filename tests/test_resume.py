"""A run that is stopped, however rudely, ends with the weights of a run that is not."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from factories import PATIENCE, run_cli, wait_until
from torch import Tensor

from fashionbench.config.study import Job
from fashionbench.errors import UsageError
from fashionbench.experiments.planning import plan
from fashionbench.experiments.resume import train_in_folder
from fashionbench.models.checkpoint import load_model

pytestmark = pytest.mark.slow

EPOCHS = 12
"""Enough for a signal to come in the middle also on a machine that is busy otherwise."""
SETTINGS = {
    "epochs": EPOCHS,
    "optimizer": "adamw",
    "schedule": "cosine",
    "warm_up": 0.5,
    "augmentation": "alternating-flip,shift:2,cutout:4",
    "mixing": "cutmix:1",
    "ema": 0.99,
    "validation_images": 500,
    "patience": EPOCHS,
}
FLAGS = [
    text for name, value in SETTINGS.items() for text in ("--" + name.replace("_", "-"), str(value))
]
COMMAND = ("train", "mlp", "--dataset", "silhouettes", "--device", "cpu", *FLAGS)

Start = Callable[..., "subprocess.Popen[str]"]


def job(**settings: object) -> Job:
    study = plan(["mlp"], ["default"], [0], dataset="silhouettes", **(SETTINGS | settings))
    ((found,),) = study.entries()
    return found


def weights(folder: Path) -> dict[str, Tensor]:
    return load_model(folder / "model.safetensors").state_dict()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole")
    assert run_cli(*COMMAND, "--out", folder / "run", cwd=folder).returncode == 0
    return folder / "run"


def same(folder: Path, whole: Path) -> bool:
    ours, theirs = weights(folder), weights(whole)
    curves = [(path / "curve.csv").read_text() for path in (folder, whole)]
    return curves[0] == curves[1] and all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_run_killed_at_random_moments_ends_as_if_never_stopped(
    whole: Path, tmp_path: Path, start: Start
) -> None:
    arguments = [sys.executable, "-m", "fashionbench", *COMMAND, "--resume", "--out", "run"]
    moments, kills = random.Random(0), 0
    last = tmp_path / "run" / "last.pt"
    for _ in range(3):
        process = start(*arguments, cwd=tmp_path, stdout=subprocess.DEVNULL)
        before = last.stat().st_mtime_ns if last.exists() else 0
        while process.poll() is None:  # until another epoch is kept, then a little longer
            if last.exists() and last.stat().st_mtime_ns != before:
                time.sleep(moments.uniform(0, 0.3))
                break
            time.sleep(0.005)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait(PATIENCE)
    assert kills > 0
    assert run_cli(*COMMAND, "--resume", "--out", "run", cwd=tmp_path).returncode == 0
    assert same(tmp_path / "run", whole)


class Cut(BaseException):
    """The power fails."""


def test_a_write_that_is_cut_off_leaves_the_epoch_before(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, renamed = Path.replace, []

    def cut_off(temporary: Path, target: Path) -> Path:
        if target.name != "last.pt" or len(renamed) < 2:
            renamed.append(target)
            return rename(temporary, target)
        os.truncate(temporary, temporary.stat().st_size // 2)
        raise Cut

    monkeypatch.setattr(Path, "replace", cut_off)
    with pytest.raises(Cut):
        train_in_folder(job(), tmp_path, device="cpu")
    monkeypatch.undo()
    train_in_folder(job(), tmp_path, device="cpu", resume=True)
    assert same(tmp_path, whole)


def test_ctrl_c_says_how_to_go_on_and_going_on_ends_the_same(
    whole: Path, tmp_path: Path, start: Start
) -> None:
    arguments = [sys.executable, "-m", "fashionbench", *COMMAND, "--out", "run"]
    process = start(*arguments, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    wait_until((tmp_path / "run" / "last.pt").exists, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert f"of {EPOCHS} epochs are finished" in said
    assert "--resume" in said
    assert run_cli(*COMMAND, "--resume", "--out", "run", cwd=tmp_path).returncode == 0
    assert same(tmp_path / "run", whole)


def test_a_finished_run_resumed_is_finished(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").unlink()
    summary = train_in_folder(job(), tmp_path / "run", device="cpu", resume=True)
    assert summary["epochs"] == EPOCHS
    assert same(tmp_path / "run", whole)


def test_the_best_epoch_is_kept_and_restored(whole: Path) -> None:
    state = torch.load(whole / "best.pt", weights_only=True)
    losses = [
        loss
        for _, loss, _ in torch.load(whole / "last.pt", weights_only=True)["fit"][
            "validation_curve"
        ]
    ]
    assert state["fit"]["epochs"] == losses.index(min(losses)) + 1
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, state["best"][name])


def test_what_goes_wrong_in_training_is_told_in_a_sentence(tmp_path: Path) -> None:
    study = plan(
        ["mlp-wide:width=8"], ["default"], [0], dataset="silhouettes", train_images=33, epochs=1
    )
    ((odd,),) = study.entries()
    with pytest.raises(UsageError, match="ends with a batch of one image"):
        train_in_folder(odd, tmp_path / "run", device="cpu")
