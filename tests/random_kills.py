"""Kill workers at random, now and then with their driver, and see what the store holds in the end.

The tests do it for seconds. For a minute, with eight workers:

    python tests/random_kills.py FOLDER --workers 8 --seconds 60 --seeds 400
"""

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from factories import run_cli

from fashionbench.store.run_store import RunStore

__all__ = ["Attack"]

BRIEF = ("--dataset", "silhouettes", "--epochs", "1", "--train-images", "1000", "--device", "cpu")
MODELS = ("v0", "mlp")


@dataclass
class Attack:
    """A comparison whose processes are killed for some seconds, and what came of it."""

    folder: Path
    workers: int
    seconds: float
    seeds: int
    killed: int = 0
    """Workers."""
    drivers: int = 0
    """Started: the first, and one for each that was killed or gave up."""

    def run(self) -> None:
        """Start the comparison again and again until it is done; kill while there is time."""
        draw, end = random.Random(0), time.monotonic() + self.seconds
        while True:
            driver = self._start()
            self.drivers += 1
            while driver.poll() is None:
                time.sleep(draw.expovariate(1.0))
                if time.monotonic() < end and (workers := _children(driver.pid)):
                    _kill(draw.choice(workers))
                    self.killed += 1
                    if draw.random() < 0.2:
                        driver.kill()
            if driver.returncode == 0:
                break
            assert time.monotonic() < end + 600, "it does not get done"

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "fashionbench", *self._asked("attacked")]
        with (self.folder / "attacked.log").open("ab") as log:
            return subprocess.Popen(
                [*command, "--on", f"workers:{self.workers}", "--parallel", "serial"],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env=os.environ | {"OMP_NUM_THREADS": str(self.workers)},
            )

    def _asked(self, out: str) -> tuple[str, ...]:
        models = ("--models", ",".join(MODELS), "--seeds", str(self.seeds))
        return ("compare", *models, *BRIEF, "--out", out)

    def check(self) -> None:
        """Hold the store to that of a comparison left in peace: the same runs, each once."""
        peace = run_cli(*self._asked("peace"), cwd=self.folder)
        assert peace.returncode == 0, peace.stderr
        attacked, left = (RunStore(self.folder / name) for name in ("attacked", "peace"))
        with sqlite3.connect(attacked.path) as database:
            keys = [key for (key,) in database.execute("SELECT key FROM runs")]
        assert len(keys) == len(set(keys)) == len(MODELS) * self.seeds
        study, _ = left.load_study()
        for job in [job for entry in study.entries() for job in entry]:
            one, other = attacked.load_run(job), left.load_run(job)
            assert one is not None
            assert other is not None
            assert one.scores == other.scores
            assert (one.losses == other.losses).all()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", type=int, default=400)
    attack = Attack(**vars(parser.parse_args()))
    attack.folder.mkdir(parents=True)
    start = time.monotonic()
    attack.run()
    seconds = time.monotonic() - start
    assert seconds > attack.seconds, "it was done before the time was over; give more seeds"
    attack.check()
    sys.stdout.write(
        f"{attack.killed} workers and {attack.drivers - 1} drivers were lost in the first "
        f"{attack.seconds:g} of {seconds:.0f} s; all {len(MODELS) * attack.seeds} runs are there, "
        "once each, and equal those that nobody disturbed.\n"
    )


if __name__ == "__main__":
    _main()
