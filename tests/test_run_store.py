"""The store keeps what it is given, and tells what is wrong with it."""

import json
import re
import sqlite3
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import make_record, make_result

from fashionbench.errors import StoreError
from fashionbench.experiments.result import load_result
from fashionbench.store.records import TestSet
from fashionbench.store.run_store import RunStore


def test_a_run_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    record = make_record()
    store = RunStore(tmp_path, create=True)
    assert store.load_run(record.job) is None
    assert not store.has_run(record.job)
    store.save_run(record)
    assert store.has_run(record.job)
    loaded = RunStore(tmp_path).load_run(record.job)
    assert loaded is not None
    for field in fields(record):
        np.testing.assert_equal(getattr(loaded, field.name), getattr(record, field.name))


def test_auto_takes_any_device_and_a_named_one_only_its_own(tmp_path: Path) -> None:
    record = make_record()
    store = RunStore(tmp_path, create=True)
    store.save_run(record)
    other = "cuda" if record.device == "cpu" else "cpu"
    for device, found in (("auto", True), (record.device, True), (other, False)):
        assert store.has_run(record.job, device) == found
        assert (store.load_run(record.job, device) is not None) == found


def test_a_failed_transaction_leaves_nothing_behind(tmp_path: Path) -> None:
    store = RunStore(tmp_path, create=True)

    def stopped_half_way() -> None:
        with store._transaction() as database:
            database.execute("INSERT INTO study VALUES (1, '{}', 'x')")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped_half_way()
    with pytest.raises(StoreError, match="no comparison yet"):
        store.load_study()


def test_test_images_come_back_as_they_were(tmp_path: Path) -> None:
    images = np.arange(3 * 28 * 28, dtype=np.uint8).reshape(3, 28, 28)
    given = TestSet("a", "A set", ("x", "y", "z"), images, np.array([2, 0, 1], np.uint8))
    store = RunStore(tmp_path, create=True)
    assert store.load_test_set("a") is None
    store.save_test_set(given)
    loaded = store.load_test_set("a")
    assert loaded is not None
    assert (loaded.title, loaded.classes) == (given.title, given.classes)
    np.testing.assert_array_equal(loaded.images, images)
    np.testing.assert_array_equal(loaded.labels, given.labels)


def test_a_row_of_before_has_its_shape_behind_the_classes(tmp_path: Path) -> None:
    result = make_result(tmp_path, models=("v0",), seeds=1)
    name, images = result.study.test_set, result.test_set.images
    with sqlite3.connect(tmp_path / "store.sqlite") as database:
        old = json.dumps([*result.test_set.classes, list(images.shape)])
        database.execute("UPDATE test_sets SET classes = ?", (old,))
    loaded = RunStore(tmp_path).load_test_set(name)
    assert loaded is not None
    assert loaded.classes == result.test_set.classes
    np.testing.assert_array_equal(loaded.images, images)


def test_the_losses_of_a_run_that_diverged_come_back(tmp_path: Path) -> None:
    record = make_record(outcome="diverged")
    store = RunStore(tmp_path, create=True)
    store.save_run(record)
    loaded = store.load_run(record.job)
    assert loaded is not None
    assert np.isnan(loaded.scores.loss)
    np.testing.assert_array_equal(loaded.losses, record.losses)


@pytest.mark.parametrize(
    ("change", "load"),
    [
        ("runs SET record = substr(record, 1, 40)", RunStore.load_run),
        ("runs SET record = json_set(record, '$.parameters', 'many')", RunStore.load_run),
        ("runs SET record = json_remove(record, '$.scores.loss')", RunStore.load_run),
        ("runs SET predicted = x'00'", RunStore.load_run),
        ("study SET study = substr(study, 1, 40)", RunStore.load_study),
        ("""study SET study = '{"models": []}'""", RunStore.load_study),
        ("test_sets SET classes = '[1'", RunStore.load_test_set),
        ("test_sets SET images = substr(images, 1, 40)", RunStore.load_test_set),
    ],
)
def test_what_cannot_be_read_is_told_as_damage(
    change: str, load: Callable[..., object], tmp_path: Path
) -> None:
    result = make_result(tmp_path, models=("v0",), seeds=1)
    store = RunStore(tmp_path)
    asked = {
        RunStore.load_run: [result.entries[0].runs[0].job],
        RunStore.load_study: [],
        RunStore.load_test_set: [result.study.test_set],
    }
    load(store, *asked[load])
    with sqlite3.connect(store.path) as database:
        database.execute(f"UPDATE {change}")
    with pytest.raises(StoreError, match=r"is damaged \(.*\); move it away") as told:
        load(store, *asked[load])
    assert "\n" not in str(told.value)


def test_a_store_that_another_command_writes_is_told_as_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, connect = RunStore(tmp_path, create=True), sqlite3.connect
    with connect(store.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        at_once = lambda path, timeout, isolation_level: connect(path, 0, 0, isolation_level)  # noqa: E731
        monkeypatch.setattr(sqlite3, "connect", at_once)
        with pytest.raises(StoreError, match=r"is in use \(database is locked\); wait until"):
            store.save_run(make_record())


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ("runs SET record = json_set(record, '$.job.recipe.fog', 1)", "recipe.fog"),
        ("study SET study = json_set(study, '$.fog', 1)", "fog"),
    ],
)
def test_a_setting_of_another_version_is_no_damage(
    change: str, setting: str, tmp_path: Path
) -> None:
    make_result(tmp_path, models=("v0",), seeds=1)
    with sqlite3.connect(tmp_path / "store.sqlite") as database:
        database.execute(f"UPDATE {change}")
    expected = f"another version of fashionbench (this one has no setting '{setting}'); update"
    with pytest.raises(StoreError, match=re.escape(expected)):
        load_result(tmp_path)


def test_reading_needs_no_permission_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = make_result(tmp_path)
    connect = sqlite3.connect

    def connect_to_read(path: Path, **options: Any) -> sqlite3.Connection:
        return connect(f"{path.as_uri()}?mode=ro", uri=True, **options)

    # Permissions do not count for root, as whom tests may run.
    monkeypatch.setattr(sqlite3, "connect", connect_to_read)
    assert load_result(tmp_path).document == result.document
    with pytest.raises(StoreError, match="make it writable"):
        RunStore(tmp_path).save_study(result.study, result.command)


def test_a_folder_that_may_only_be_read_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = make_result(tmp_path / "runs")
    connect = sqlite3.connect

    def read_only(path: Path, **options: Any) -> sqlite3.Connection:
        return connect(f"file:{path}?mode=ro", uri=True, **options)

    monkeypatch.setattr("fashionbench.store.run_store.sqlite3.connect", read_only)
    again = load_result(tmp_path / "runs")
    assert [entry.accuracies for entry in again.entries] == [e.accuracies for e in result.entries]
    with pytest.raises(StoreError, match="make it writable"):
        RunStore(tmp_path / "runs").save_study(result.study, "again")
