"""A run as bytes comes back whole, and nothing else is taken for a run."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from factories import make_record

from fashionbench.errors import StoreError
from fashionbench.store.packed import PackedRun, RunFile, WeightsFile, run_file_name, run_file_names


def written(folder: Path) -> tuple[RunFile, Path]:
    file = RunFile(PackedRun.pack(make_record()), WeightsFile("some.safetensors", "0" * 64))
    file.write(folder)
    return file, folder / file.name


def test_a_packed_record_comes_back_as_it_was() -> None:
    record = make_record()
    again = PackedRun.pack(record).unpack()
    for field in fields(record):
        np.testing.assert_equal(getattr(again, field.name), getattr(record, field.name))


def test_a_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    file, path = written(tmp_path)
    assert RunFile.read(path) == file
    assert path.name == f"{make_record().job.key}-cpu.run"


@pytest.mark.parametrize("part", [0.1, 0.5, 0.999])
def test_a_part_of_a_file_is_no_run(part: float, tmp_path: Path) -> None:
    _, path = written(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(StoreError, match="only a part of a run, or damaged"):
        RunFile.read(path)


@pytest.mark.parametrize("title", [b"fashionbench run 1", b"fashionbench run 1 0 0\nmore"])
def test_a_part_of_a_title_is_no_run(title: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.run").write_bytes(title)
    with pytest.raises(StoreError, match="only a part of a run, or damaged"):
        RunFile.read(tmp_path / "a.run")


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\x00\xff" * 100, b"fashionbench run \n"])
def test_a_foreign_file_is_no_run(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.run").write_bytes(content)
    with pytest.raises(StoreError, match="is not a run of fashionbench's"):
        RunFile.read(tmp_path / "a.run")


def test_a_file_of_a_newer_version_is_told_as_that(tmp_path: Path) -> None:
    _, path = written(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"run 1 ", b"run 2 ", 1))
    with pytest.raises(StoreError, match=r"newer fashionbench \(format 2, this one reads up to 1"):
        RunFile.read(path)


def test_what_another_version_knows_is_named(tmp_path: Path) -> None:
    packed = PackedRun.pack(make_record())
    unknown = replace(packed, record=packed.record.replace('"label"', '"colour": 1, "label"'))
    RunFile(unknown, None).write(tmp_path)
    with pytest.raises(StoreError, match="colour"):
        RunFile.read(tmp_path / RunFile(unknown, None).name)


def test_a_run_under_the_name_of_another_is_refused(tmp_path: Path) -> None:
    _, path = written(tmp_path)
    with pytest.raises(StoreError, match="do not agree"):
        RunFile.read(path.rename(tmp_path / "0123456789abcdef-cpu.run"))


def test_on_any_device_means_a_name_for_each() -> None:
    assert run_file_names("k", "cuda") == [run_file_name("k", "cuda")]
    assert set(run_file_names("k", "auto")) == {"k-cpu.run", "k-cuda.run", "k-mps.run"}
