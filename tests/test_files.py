"""A file is whole or absent, whatever happens while it is written."""

import os
from pathlib import Path

import pytest

from fashionbench.core.files import as_path, list_folder, make_folder, write_atomically
from fashionbench.errors import StoreError, UsageError


def test_a_path_is_text_or_a_path() -> None:
    assert as_path("out", "runs") == as_path("out", Path("runs")) == Path("runs")
    for wrong in (3, None, True, b"runs", ["runs"]):
        with pytest.raises(UsageError, match=r"^out is .*, but should be a path\.$"):
            as_path("out", wrong)


def test_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file"
    write_atomically(target, b"first")
    write_atomically(target, b"second")
    assert target.read_bytes() == b"second"
    assert [file.name for file in target.parent.iterdir()] == ["file"]
    (tmp_path / "blocked").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        write_atomically(tmp_path / "blocked" / "file", b"third")


@pytest.mark.parametrize("name", [".", "/"])
def test_a_folder_is_no_file(name: str) -> None:
    with pytest.raises(StoreError, match="is a folder; name a file to write"):
        write_atomically(Path(name), b"")


def test_a_run_folder_is_made_or_told(tmp_path: Path) -> None:
    for _ in range(2):
        make_folder(tmp_path / "runs" / "mine")
    assert list_folder(tmp_path / "runs") == [tmp_path / "runs" / "mine"]
    (tmp_path / "file").write_text("in the way")
    for blocked in ("file", "file/runs"):
        with pytest.raises(StoreError, match=r"cannot be written .*; choose another with --out"):
            make_folder(tmp_path / blocked)
    assert list_folder(tmp_path / "file") == list_folder(tmp_path / "none") == []


def test_a_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, synced = tmp_path / "file", []

    def sync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size)
        assert not target.exists()

    monkeypatch.setattr(os, "fsync", sync)
    write_atomically(target, b"content")
    assert synced == [len(b"content")]
    assert target.exists()


def test_where_there_is_no_folder_nothing_is_listed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert list_folder(tmp_path) == [file]
    assert list_folder(tmp_path / "absent") == list_folder(file) == []
