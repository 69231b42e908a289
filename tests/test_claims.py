"""A block has one holder at a time, and another if that is not heard of."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fashionbench.errors import StoreError
from fashionbench.experiments.cluster.claims import MOST_CLAIMS, Claim, Claims, Holder

PATIENCE = 100.0


def claims(folder: Path, pid: int = 1, host: str = "node1") -> Claims:
    return Claims(folder, PATIENCE, Holder(host, pid))


def grow_old(claim: Claim, seconds: float = 2 * PATIENCE) -> None:
    heard = claim.path.stat().st_mtime - seconds
    os.utime(claim.path, (heard, heard))


def test_of_many_that_ask_at_once_each_block_goes_to_one(tmp_path: Path) -> None:
    blocks = [f"b{number}" for number in range(10)]
    with ThreadPoolExecutor(16) as pool:
        taken = [*pool.map(lambda pid: claims(tmp_path, pid).take(blocks), range(16))]
    won = [claim.block for claim in taken if claim]
    assert sorted(won) == blocks


def test_what_nobody_holds_comes_before_what_somebody_was_silent_about(tmp_path: Path) -> None:
    for block in ("b", "c"):
        old = claims(tmp_path).take([block])
        assert old is not None
        grow_old(old)
    first = claims(tmp_path, 2).take(["b", "c", "a"])
    then = claims(tmp_path, 3).take(["b", "a"])
    assert first is not None
    assert then is not None
    assert (first.block, then.block, then.number) == ("a", "b", 2)


def test_a_claim_with_a_heartbeat_is_left_alone(tmp_path: Path) -> None:
    claim = claims(tmp_path).take(["b"])
    assert claim is not None
    grow_old(claim)
    assert claim.beat()
    assert claims(tmp_path, 2).take(["b"]) is None


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_an_hour_off_changes_nothing(
    hours: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh, silent = claims(tmp_path).take(["fresh"]), claims(tmp_path).take(["silent"])
    assert fresh is not None
    assert silent is not None
    grow_old(silent)
    real: Callable[[], float] = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600 * hours)
    assert claims(tmp_path, 2).take(["fresh"]) is None
    assert claims(tmp_path, 2).take(["silent"]) is not None


def test_who_was_taken_for_dead_learns_of_it(tmp_path: Path) -> None:
    claim = claims(tmp_path).take(["b"])
    assert claim is not None
    grow_old(claim)
    assert claims(tmp_path, 2).take(["b"]) is not None
    assert not claim.beat()


def test_a_file_server_that_is_away_takes_no_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = claims(tmp_path).take(["b"])
    assert claim is not None

    def fail(path: Path) -> None:
        raise OSError(errno.ESTALE, "Stale file handle", path)

    with monkeypatch.context() as away:
        away.setattr(os, "utime", fail)
        assert claim.beat()
    assert claim.beat()


def test_what_is_released_is_free_and_what_is_done_is_not_until_it_is_opened_again(
    tmp_path: Path,
) -> None:
    claim = claims(tmp_path).take(["b"])
    assert claim is not None
    claim.release()
    assert not claim.beat()
    again = claims(tmp_path, 2).take(["b"])
    assert again is not None
    assert again.number == 1
    again.finish()
    assert claims(tmp_path, 3).take(["b"]) is None
    claims(tmp_path).reopen("b")
    assert claims(tmp_path, 3).take(["b"]) is not None


def test_what_killed_its_workers_again_and_again_is_not_taken(tmp_path: Path) -> None:
    for pid in range(MOST_CLAIMS):
        assert claims(tmp_path).exhausted(["b"]) == []
        claim = claims(tmp_path, pid).take(["b", "b"])
        assert claim is not None
        grow_old(claim)
    assert claims(tmp_path).take(["b"]) is None
    assert claims(tmp_path).exhausted(["b", "c"]) == ["b"]
    claims(tmp_path).forget("b")
    assert claims(tmp_path).take(["b"]) is not None


def test_a_dead_process_of_this_machine_holds_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    here = os.uname().nodename
    for pid, host in ((process.pid, here), (os.getpid(), here), (process.pid, "node9")):
        block = f"b{pid}{host}"
        assert claims(tmp_path, pid, host).take([block]) is not None
    mine = claims(tmp_path, os.getpid(), here)
    mine.release_of(())
    free = mine.take([f"b{process.pid}{here}", f"b{os.getpid()}{here}", f"b{process.pid}node9"])
    assert free is not None
    assert free.block == f"b{process.pid}{here}"
    assert mine.take([f"b{os.getpid()}{here}", f"b{process.pid}node9"]) is None
    mine.release_of([Holder("node9", process.pid)])
    assert mine.take([f"b{os.getpid()}{here}", f"b{process.pid}node9"]) is not None


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "claims").mkdir(mode=0o500)
    with pytest.raises(StoreError, match="cannot be written"):
        claims(tmp_path).take(["b"])


def test_a_place_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "claims").mkdir()
    claim = claims(tmp_path).take(["b"])
    assert claim is not None
    (tmp_path / "claims" / "b.done").mkdir()
    (tmp_path / "claims" / "b.1").unlink()
    (tmp_path / "claims").rename(tmp_path / "gone")
    with pytest.raises(StoreError, match="cannot be written"):
        claim.finish()


def test_no_trace_is_left_but_the_claims(tmp_path: Path) -> None:
    one = claims(tmp_path)
    assert one.take(["b"]) is not None
    assert one.take(["b"]) is None  # looks at the server's clock
    one.close()
    assert [path.name for path in one.folder.iterdir()] == ["b.1"]
