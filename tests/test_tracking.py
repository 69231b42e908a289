"""Finished runs in other programs: one run each, once, with parameters, curves and scores."""

import json
import sys
from pathlib import Path

import pytest
from factories import make_record, make_result

from fashionbench.errors import StoreError, UsageError
from fashionbench.experiments import tracking
from fashionbench.experiments.comparison import compare
from fashionbench.experiments.tracking import KEPT, TrackedRun, find_tracker, track_runs


def test_a_run_is_told_by_its_settings_its_curve_and_its_scores() -> None:
    record = make_record()
    told = TrackedRun.of(record, "v0")
    assert told.name == "v0 seed 0"
    assert told.parameters["learning_rate"] == 0.1
    assert (told.parameters["model"], told.parameters["seed"]) == ("v0", 0)
    assert [epoch for epoch, _ in told.curve] == [1, 2, 3]
    second = [loss for at, loss in record.curve if 1 < at <= 2]
    assert told.curve[1][1]["training/loss"] == pytest.approx(sum(second) / len(second))
    assert told.scores["test/accuracy"] == record.scores.accuracy
    assert told.scores["train_seconds"] == record.train_seconds


def test_each_run_is_written_once_also_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, written = make_result(tmp_path, models=("v0",), seeds=3), []

    def open_stub(folder: Path) -> tracking.Write:
        def write(run: TrackedRun) -> None:
            if len(written) == 1 and not (tmp_path / "again").exists():
                raise ConnectionError("no server")
            written.append(run.name)

        return write

    monkeypatch.setattr(tracking, "TRACKERS", {"stub": open_stub})
    with pytest.raises(StoreError, match=r"stub cannot write the runs \(no server\)"):
        track_runs(result, "stub")
    (tmp_path / "again").touch()
    assert track_runs(result, "stub") == 2
    assert track_runs(result, "stub") == 0
    assert written == ["v0 seed 0", "v0 seed 1", "v0 seed 2"]
    assert len(json.loads((tmp_path / KEPT).read_text())["stub"]) == 3


def test_a_tracker_that_is_not_there_is_told_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be tracked by 'wandb'; there are tensorboard, m"):
        compare(["v0"], seeds=1, dataset="silhouettes", out=tmp_path / "runs", track="wandb")
    assert not (tmp_path / "runs").exists()


def test_tensorboard_has_a_run_for_each(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = make_result(tmp_path, models=("v0", "v1"), seeds=2)
    assert track_runs(result, "tensorboard") == 4
    folders = sorted((tmp_path / "tensorboard").iterdir())
    assert len(folders) == 4
    events = EventAccumulator(str(folders[0])).Reload()
    assert [event.step for event in events.Scalars("training/loss")] == [1, 2, 3]
    accuracy = result.entries[0].runs[0].scores.accuracy
    assert events.Scalars("test/accuracy")[0].value == pytest.approx(accuracy)


def test_mlflow_has_a_run_for_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    track_runs(make_result(tmp_path, models=("v0",), seeds=2), "mlflow")
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(f"fashionbench {tmp_path.name}")
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.run_name for run in runs} == {"v0 seed 0", "v0 seed 1"}
    assert {run.data.params["learning_rate"] for run in runs} == {"0.1"}
    history = client.get_metric_history(runs[0].info.run_id, "training/loss")
    assert sorted(point.step for point in history) == [1, 2, 3]


def test_trackio_has_a_run_for_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trackio")
    from trackio.sqlite_storage import SQLiteStorage

    result = make_result(tmp_path, models=("v0",), seeds=2)
    track_runs(result, "trackio")
    project = f"fashionbench-{tracking.slug(tmp_path.name)}"
    assert {*SQLiteStorage.get_runs(project)} == {"v0 seed 0", "v0 seed 1"}


def test_a_tracker_without_its_package_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mlflow", "mlflow.entities", "trackio", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, name, None)
    for name, extra in (("mlflow", "mlflow"), ("trackio", "trackio"), ("tensorboard", "track")):
        with pytest.raises(UsageError, match=rf'pip install "\.\[{extra}\]"'):
            find_tracker(name, tmp_path)
