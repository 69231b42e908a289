"""The store keeps what it is given, and tells what is wrong with it."""

import sqlite3
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import make_record

from fashionbench.errors import StoreError
from fashionbench.records import RunStore, TestSet, processor, write_atomically


def test_a_run_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    record = make_record()
    store = RunStore(tmp_path, create=True)
    assert store.load_run(record.job) is None
    store.save_run(record)
    loaded = RunStore(tmp_path).load_run(record.job)
    assert loaded is not None
    for field in fields(record):
        np.testing.assert_equal(getattr(loaded, field.name), getattr(record, field.name))


def test_auto_takes_any_device_and_a_named_one_only_its_own(tmp_path: Path) -> None:
    record = make_record()
    store = RunStore(tmp_path, create=True)
    store.save_run(record)
    other = "cuda" if record.device == "cpu" else "cpu"
    assert store.load_run(record.job, "auto") is not None
    assert store.load_run(record.job, record.device) is not None
    assert store.load_run(record.job, other) is None


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


def test_a_record_that_cannot_be_read_is_told_as_damage(tmp_path: Path) -> None:
    record = make_record()
    store = RunStore(tmp_path, create=True)
    store.save_run(record)
    with sqlite3.connect(store.path) as database:
        database.execute("UPDATE runs SET record = substr(record, 1, 40)")
    with pytest.raises(StoreError, match="damaged"):
        store.load_run(record.job)


def test_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file"
    write_atomically(target, b"first")
    write_atomically(target, b"second")
    assert target.read_bytes() == b"second"
    assert [file.name for file in target.parent.iterdir()] == ["file"]
    (tmp_path / "blocked").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        write_atomically(tmp_path / "blocked" / "file", b"third")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_the_processor_is_named_with_its_widest_vectors() -> None:
    names = {"AVX512": "AVX-512", "AVX2": "AVX2"}
    capability = torch.backends.cpu.get_cpu_capability()
    if capability not in names:
        pytest.skip("a processor of another kind")
    assert processor().endswith(f", {names[capability]}")
