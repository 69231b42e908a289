"""The C source becomes a library once, or torch trains and one sentence says why."""

import logging
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fashionbench.training.kernels import compiler
from fashionbench.training.kernels.compiler import SOURCE, SWITCH, load_library

needs_a_compiler = pytest.mark.skipif(load_library() is None, reason="there is no C compiler")
COMPILED = None if load_library() is None else Path(load_library()._name)
"""What the real compiler made of the source; where it works is what the first test sees."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and nothing loaded yet."""
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / name)
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.delenv("CC", raising=False)
    compiler._load.cache_clear()
    yield tmp_path / "fashionbench" / "kernels"
    compiler._load.cache_clear()


@pytest.fixture
def copying(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes seconds; what was compiled before is copied instead."""
    monkeypatch.setattr(compiler, "_compile_to", lambda library, _: shutil.copy(COMPILED, library))


def said(caplog: pytest.LogCaptureFixture) -> str:
    [record] = [each for each in caplog.records if each.name == compiler.__name__]
    return record.getMessage()


@pytest.mark.slow
@needs_a_compiler
def test_it_is_compiled_once_and_kept_in_the_cache(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_library() is not None
    [library] = cache.glob("*.so")
    compiler._load.cache_clear()
    monkeypatch.setattr(compiler, "_compile_to", lambda *_: pytest.fail("compiled once more"))
    assert load_library() is not None
    assert [*cache.glob("*.so")] == [library]


@needs_a_compiler
@pytest.mark.usefixtures("copying")
def test_another_processor_gets_a_library_of_its_own(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_library()
    compiler._load.cache_clear()
    monkeypatch.setattr(compiler, "processor_features", lambda: "another")
    load_library()
    assert len([*cache.glob("*.so")]) == 2


@pytest.mark.slow
@needs_a_compiler
def test_several_processes_that_begin_at_once_compile_one(cache: Path, tmp_path: Path) -> None:
    code = (
        "import pooch, shutil, time; from pathlib import Path\n"
        "from fashionbench.training.kernels import compiler\n"
        "def compile_to(library, _):\n"
        f"    with Path({str(tmp_path / 'compiled')!r}).open('a') as log: log.write('once ')\n"
        "    time.sleep(0.5)\n"
        f"    shutil.copy({str(COMPILED)!r}, library)\n"
        "compiler._compile_to = compile_to\n"
        f"pooch.os_cache = lambda name: Path({str(cache.parent)!r})\n"
        "assert compiler.load_library() is not None"
    )
    with ThreadPoolExecutor(3) as pool:
        ends = [*pool.map(lambda _: subprocess.run([sys.executable, "-c", code]), range(3))]
    assert [end.returncode for end in ends] == [0, 0, 0]
    assert (tmp_path / "compiled").read_text() == "once "
    assert len([*cache.glob("*.so")]) == 1
    assert sorted(path.name for path in cache.iterdir() if path.suffix != ".so") == ["lock"]


def test_switched_off_nothing_is_compiled(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "off")
    assert load_library() is None
    assert not cache.exists()


@needs_a_compiler
def test_a_compiler_may_be_named_with_a_wrapper_and_arguments(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [alone] = compiler._compiler()
    wrapper = tmp_path / "a wrapper"
    wrapper.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/called"\nexec "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("CC", f'"{wrapper}" {shutil.which(alone)} -g0')
    assert load_library() is not None
    assert "-g0 -O3" in (tmp_path / "called").read_text()


def test_without_a_compiler_torch_trains_and_it_is_said_once(
    cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(cache))
    with caplog.at_level(logging.INFO):
        assert load_library() is None
        assert load_library() is None
    assert "there is no C compiler (gcc or clang)" in said(caplog)


def test_a_name_with_half_a_pair_of_quotes_is_no_error(
    cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CC", '"gcc')
    with caplog.at_level(logging.INFO):
        assert load_library() is None
    assert "No closing quotation" in said(caplog)


def test_a_compiler_that_fails_is_quoted(
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    script = tmp_path / "cc"
    script.write_text('#!/bin/sh\n[ "$1" = --version ] && exit 0\necho no room left >&2\nexit 1\n')
    script.chmod(0o755)
    monkeypatch.setenv("CC", str(script))
    with caplog.at_level(logging.INFO):
        assert load_library() is None
    assert "cc fails: no room left" in said(caplog)
    assert not [*cache.glob("*.so")]


@needs_a_compiler
@pytest.mark.usefixtures("copying")
def test_a_library_that_cannot_be_loaded_is_no_error(
    cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    library = compiler._compile(compiler._compiler())
    library.write_bytes(b"no library")
    with caplog.at_level(logging.INFO):
        assert load_library() is None
    assert library.name in said(caplog)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="the sanitizers are gcc's")
def test_the_source_is_clean_under_sanitizers(tmp_path: Path) -> None:
    library = tmp_path / "network.so"
    flags = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    strict = ["-Wall", "-Wextra", "-Werror", "-Wno-psabi", "-Wno-alloc-size-larger-than"]
    command = ["gcc", *flags, *strict, "-march=native", "-std=gnu11", "-fPIC", "-shared"]
    subprocess.run([*command, str(SOURCE), "-o", str(library), "-lm", "-lpthread"], check=True)
    runtimes = [
        subprocess.run(
            ["gcc", f"-print-file-name={name}.so"], check=True, capture_output=True, text=True
        ).stdout.strip()
        for name in ("libasan", "libubsan")
    ]
    networks = Path(__file__).parent / "networks_under_sanitizers.py"
    end = subprocess.run(
        [sys.executable, str(networks), str(library), "150"],
        env=os.environ | {"LD_PRELOAD": " ".join(runtimes), "ASAN_OPTIONS": "detect_leaks=0"},
        capture_output=True,
        text=True,
    )
    assert (end.returncode, end.stdout) == (0, "150 networks\n"), end.stderr
