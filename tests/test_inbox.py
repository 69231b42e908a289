"""What workers leave in the inbox comes into the store: once, whole, with its own weights."""

from dataclasses import replace
from pathlib import Path

import pytest
from factories import jobs, make_record
from filelock import FileLock

from fashionbench.experiments.cluster import inbox as module
from fashionbench.experiments.cluster.inbox import Failure, Inbox, Intake, take_in, take_in_if_idle
from fashionbench.models.checkpoint import checkpoint_path
from fashionbench.store.records import RunRecord
from fashionbench.store.run_store import RunStore


def put(folder: Path, record: RunRecord, weights: bytes | None = b"weights") -> Path:
    """Put a run into the inbox as a worker does; return the path of its file."""
    inbox = Inbox(folder)
    if weights is not None:
        path = checkpoint_path(inbox.folder, record.job, record.device)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(weights)
        path.with_suffix(".json").write_text("{}")
    inbox.save_run(record)
    (path,) = inbox.folder.glob(f"{record.job.key}*.run")
    return path


def test_runs_and_weights_are_taken_in_once(tmp_path: Path) -> None:
    store = RunStore(tmp_path, create=True)
    records = [make_record(job) for job in jobs("v0", 3)]
    for record in records:
        put(tmp_path, record)
    intake = Intake(store)
    assert len(intake.take()[0]) == 3
    assert intake.take() == Intake(store).take() == ([], [])
    for record in records:
        loaded = store.load_run(record.job)
        assert loaded is not None
        assert loaded.scores == record.scores
        kept = checkpoint_path(tmp_path, record.job)
        assert kept.read_bytes() == b"weights"
        assert kept.with_suffix(".json").is_file()
    assert [*(tmp_path / "inbox" / "checkpoints").iterdir()] == []
    intake.discard(Inbox(tmp_path).names())
    assert Inbox(tmp_path).names() == set()


def test_a_run_without_weights_comes_too(tmp_path: Path) -> None:
    store, record = RunStore(tmp_path, create=True), make_record()
    put(tmp_path, record, None)
    take_in(store)
    assert store.has_run(record.job)


def test_who_was_stopped_between_weights_and_record_goes_on(tmp_path: Path) -> None:
    store, record = RunStore(tmp_path, create=True), make_record()
    put(tmp_path, record)
    store.save_packed = lambda runs: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore
    with pytest.raises(KeyboardInterrupt):
        take_in(store)
    assert checkpoint_path(tmp_path, record.job).is_file()
    again = RunStore(tmp_path)
    take_in(again)
    assert again.has_run(record.job)


def test_a_run_is_never_kept_with_the_weights_of_another_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, record = RunStore(tmp_path, create=True), make_record()
    path = put(tmp_path, record)
    checkpoint_path(tmp_path / "inbox", record.job).write_bytes(b"others")
    assert Intake(store).take() == ([], [path.name])
    assert not store.has_run(record.job)
    assert "absent, or of another training; it is kept as" in caplog.text


@pytest.mark.parametrize("content", [b"", b"hello", b"fashionbench run 1 0123\nhalf"])
def test_what_is_no_run_is_told_and_set_aside(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, record = RunStore(tmp_path, create=True), make_record()
    good = put(tmp_path, record)
    bad = good.with_name("0123456789abcdef-cpu.run")
    bad.write_bytes(content)
    taken, refused = Intake(store).take()
    assert (taken, refused) == ([good.name], [bad.name])
    assert "and the run is trained again" in caplog.text
    assert bad.with_suffix(".refused").read_bytes() == content
    assert Intake(store).take() == ([], [])


def test_a_foreign_file_is_told_once_and_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = RunStore(tmp_path, create=True)
    (tmp_path / "inbox").mkdir()
    for name in ("notes.txt", ".hidden", "b.failed"):
        (tmp_path / "inbox" / name).write_text("mine")
    intake = Intake(store)
    intake.take()
    intake.take()
    assert caplog.text.count("is left where it is") == 1
    assert "notes.txt" in caplog.text
    assert (tmp_path / "inbox" / "notes.txt").read_text() == "mine"


def test_a_name_from_a_file_leads_nowhere_else(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    store, record = RunStore(folder, create=True), make_record()
    path = put(folder, record)
    file = module.RunFile.read(path)
    assert file.weights is not None
    away = replace(file, weights=replace(file.weights, name=f"../../{file.weights.name}"))
    away.write(folder / "inbox")
    assert Intake(store).take()[0] == [path.name]
    assert checkpoint_path(folder, record.job).is_file()
    assert not [*tmp_path.glob("*.safetensors")]


def test_more_runs_than_fit_into_memory_are_several_transactions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    store, sizes = RunStore(tmp_path, create=True), list[int]()
    for job in jobs("v0", 5):
        put(tmp_path, make_record(job))
    save_packed = store.save_packed

    def note(runs) -> None:
        runs = [*runs]
        sizes.append(len(runs))
        save_packed(runs)

    monkeypatch.setattr(store, "save_packed", note)
    assert len(Intake(store).take()[0]) == 5
    assert sizes == [2, 2, 1]


def test_failures_are_told_one_after_another_and_forgotten(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    first, second = (Failure(host, host, "UsageError", "why") for host in ("node1", "node2"))
    assert inbox.read_failures("b") == []
    inbox.fail("b", first)
    inbox.fail("b", second)
    assert inbox.read_failures("b") == [first, second]
    assert inbox.failed() == {"b"}
    inbox.failure_path("b").write_text("{")
    assert inbox.read_failures("b") == []
    inbox.forget_failures("b")
    assert inbox.failed() == set()


def test_a_run_folder_without_an_inbox_stays_as_it_is(tmp_path: Path) -> None:
    store = RunStore(tmp_path, create=True)
    take_in(store)
    assert [path.name for path in tmp_path.iterdir()] == ["store.sqlite"]


def test_while_a_command_is_at_work_the_inbox_is_left_to_it(tmp_path: Path) -> None:
    store, record = RunStore(tmp_path, create=True), make_record()
    put(tmp_path, record)
    with FileLock(tmp_path / ".lock"):
        take_in_if_idle(tmp_path)
        assert not store.has_run(record.job)
    take_in_if_idle(tmp_path)
    assert store.has_run(record.job)
