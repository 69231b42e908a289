"""The heartbeat goes on whatever the worker is at, and ends it in time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from factories import PATIENCE

from fashionbench.experiments.cluster.claims import Claims, Holder
from fashionbench.experiments.cluster.heartbeat import Heartbeat

# The main thread is in C, where Python handles no signal.
BUSY = """
import hashlib, sys, time
from pathlib import Path
from fashionbench.experiments.cluster.claims import Claims, Holder
from fashionbench.experiments.cluster.heartbeat import Heartbeat

claims = Claims(Path(sys.argv[1]), 100.0, Holder("here", 1))
deadline = float(sys.argv[2]) and time.monotonic() + float(sys.argv[2])
with Heartbeat(100.0, deadline or None, signals=True) as heartbeat:
    heartbeat.hold(claims.take(["b"]))
    print("busy", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
"""


def busy(folder: Path, seconds: float) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY, str(folder), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "busy\n"
    return process


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("seconds", [0, 1])
def test_the_end_finds_a_worker_in_the_middle_of_anything(seconds: float, tmp_path: Path) -> None:
    with busy(tmp_path, seconds) as process:
        if not seconds:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE) == 0
    assert Claims(tmp_path, 100.0, Holder("there", 2)).take(["b"]) is not None


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_a_signal_before_the_end_leaves_time_for_the_run_in_hand(tmp_path: Path) -> None:
    with Heartbeat(100.0, None, signals=True) as heartbeat:
        os.kill(os.getpid(), signal.SIGUSR1)
        deadline = time.monotonic() + 10
        while heartbeat.time_left() == float("inf"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert 0 < heartbeat.time_left() <= 60
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


def test_a_claim_is_kept_fresh_and_its_loss_is_noticed(tmp_path: Path) -> None:
    claims = Claims(tmp_path, 0.5, Holder("here", 1))
    claim = claims.take(["b"])
    assert claim is not None
    os.utime(claim.path, (0, 0))
    with Heartbeat(0.5, None, signals=False) as heartbeat:
        heartbeat.hold(claim)
        time.sleep(0.5)
        assert claims.age_of(claim.path) < 0.4
        assert not heartbeat.is_lost
        claim.path.with_name("b.2").touch()
        time.sleep(0.3)
        assert heartbeat.is_lost
    assert not claim.path.exists()  # released at the end


def test_what_is_finished_is_told(tmp_path: Path) -> None:
    claims = Claims(tmp_path, 100.0, Holder("here", 1))
    with Heartbeat(100.0, None, signals=False) as heartbeat:
        claim = claims.take(["b"])
        assert claim is not None
        heartbeat.hold(claim)
        heartbeat.finish()
        heartbeat.finish()  # of nothing
    assert claims.take(["b"]) is None
