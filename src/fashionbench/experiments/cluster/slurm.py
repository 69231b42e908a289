"""Workers as a job array of Slurm: one script that a person may read, keep and change.

Slurm only starts workers; what they do they find in the run folder, which all nodes must see.
"""

import logging
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from string import Template

from fashionbench.core.files import write_atomically
from fashionbench.errors import FashionbenchError, UsageError
from fashionbench.experiments.cluster.claims import Holder
from fashionbench.experiments.cluster.plan import PlanFolder

__all__ = ["SlurmWorkers", "write_script"]

logger = logging.getLogger(__name__)

MINUTES = 60
"""The time limit of a worker; what is left then is another's, or the same one's after a requeue."""
SPARE = 5
"""Minutes of these in which nothing new is begun."""
LOOK = 30.0
"""Seconds between two questions to Slurm about the workers."""
MOST_STARTS = 3
"""In a row without a run that came of it."""

_SCRIPT = Template("""\
#!/bin/bash
#SBATCH --job-name=fashionbench
#SBATCH --array=1-$count
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=$threads$gpus
#SBATCH --time=$minutes
# A worker that is preempted is queued again; whatever it had finished is kept.
#SBATCH --requeue
#SBATCH --open-mode=append
# Two minutes before its end a worker finishes the run in hand, or drops it.
#SBATCH --signal=B:USR1@120
#SBATCH --output=$log
cd $here || exit 1
export OMP_NUM_THREADS=$threads
# Until the worker heeds the signal, it must not be killed by it.
trap '' USR1
# exec: the signal goes to this process, which becomes the worker. What is timed takes a node of
# its own: sbatch --exclusive --array=1 workers.sh --timed
exec $python -m fashionbench worker $folder --minutes $work "$$@"
""")


def write_script(run_folder: Path, count: int, threads: int, device: str) -> str:
    """Write the script that starts so many workers on a run folder."""
    folder = run_folder.resolve()
    return _SCRIPT.substitute(
        count=count,
        threads=threads,
        gpus="\n#SBATCH --gpus-per-task=1" if device == "cuda" else "",
        minutes=MINUTES,
        work=MINUTES - SPARE,
        log=folder / "logs" / "worker-%A-%a.out",
        here=shlex.quote(str(Path.cwd())),
        python=shlex.quote(sys.executable),
        folder=shlex.quote(str(folder)),
    )


class _Refused(UsageError):
    """Slurm does not do what it was asked."""


class _Array:
    """A job array, sent again while it has work and none of its tasks is there."""

    def __init__(self, note: Path, *options: str) -> None:
        self._note, self._options = note, options
        self.starts = 0
        """In a row without a run that came of it."""

    def send(self, script: Path, *arguments: str) -> str:
        """Send it, and return its number."""
        answer = _call("sbatch", "--parsable", *self._options, str(script), *arguments)
        number = answer.strip().partition(";")[0]
        write_atomically(self._note, number.encode())
        self.starts += 1
        return number

    def number(self) -> str | None:
        """Return its number; None where it was not sent."""
        try:
            return self._note.read_text("ascii")
        except OSError:
            return None

    def is_there(self) -> bool:
        """Tell whether a task of it runs or waits."""
        number = self.number()
        if number is None:
            return False
        answer = _run("squeue", "--noheader", "--format=%T", "--jobs", number)
        if answer.returncode and "Invalid job id" not in answer.stderr:
            logger.warning("squeue: %s", answer.stderr.strip())
            return True  # the controller may be away for a while: its jobs are not
        return bool(answer.stdout.strip())

    def cancel(self) -> None:
        """Take what still waits out of the queue."""
        if number := self.number():
            with suppress(_Refused):  # all of it has ended, or will, with nothing left to do
                _call("scancel", "--state=PENDING", number)
            self._note.unlink(missing_ok=True)


class SlurmWorkers:
    """An array of workers, and one worker on a node of its own for the runs that are timed."""

    poll = 2.0
    """Seconds between two looks into the inbox."""

    def __init__(
        self,
        run_folder: Path,
        script: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.script = script
        self.plan, self.logs = PlanFolder(run_folder), run_folder / "logs"
        self._path = self.plan.path.with_name("workers.sh")
        self._arrays = {
            False: _Array(self.plan.path.with_name("slurm.job")),
            True: _Array(self.plan.path.with_name("timed.job"), "--exclusive", "--array=1"),
        }
        """That for the runs that are timed under True."""
        self._clock = clock
        self._looked = clock()

    def start(self) -> None:
        """Send what has work, unless that of an earlier command is still there."""
        self._send(timed=False)
        try:
            self._send(timed=True)
        except _Refused as error:
            logger.warning("No run is timed, since Slurm gives no node to one alone: %s", error)
            self.plan.stop_timing()
            self._send(timed=False)

    def look_after(self, *, progressed: bool) -> list[Holder]:
        """Send again what has work and has ended; none of it is known to hold anything.

        Raises FashionbenchError where it ends again and again with nothing done.
        """
        for array in self._arrays.values():
            array.starts = 0 if progressed else array.starts
        if self._clock() - self._looked >= LOOK:
            self._looked = self._clock()
            self.start()
        return []

    def stop(self, *, finished: bool) -> None:
        """Cancel workers that still wait in the queue: those that run end when nothing is left.

        Where this process ends before them, they all go on.
        """
        numbers = [number for array in self._arrays.values() if (number := array.number())]
        if finished:
            for array in self._arrays.values():
                array.cancel()
        elif numbers:
            logger.warning(
                "The workers of Slurm's jobs go on; the same command takes in what they finish, "
                "and `scancel %s` ends them.",
                " ".join(numbers),
            )

    def _send(self, *, timed: bool) -> None:
        """Send an array that has work and is not there."""
        array = self._arrays[timed]
        if not self.plan.names(timed=timed) or array.is_there():
            return
        if array.starts >= MOST_STARTS:
            raise FashionbenchError(
                f"Slurm's workers ended {array.starts} times without finishing a run; {self.logs} "
                "tells why."
            )
        self.logs.mkdir(exist_ok=True)  # or Slurm would run nothing, without a word
        write_atomically(self._path, self.script.encode())
        number = array.send(self._path, *(["--timed"] if timed else []))
        what = "a worker alone on its node, by which runs are timed" if timed else "workers"
        logger.info("Slurm's job %s starts %s; messages are in %s.", number, what, self.logs)


def _call(program: str, *arguments: str) -> str:
    """Return what a program of Slurm's answers. Raises UsageError with what it refuses."""
    answer = _run(program, *arguments)
    if answer.returncode:
        raise _Refused(f"{program}: {answer.stderr.strip() or 'it failed without a word'}")
    return answer.stdout


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of Slurm's. Raises UsageError where it is absent."""
    try:
        return subprocess.run([program, *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        raise UsageError(
            f"There is no {program} on this machine, so Slurm cannot be asked for workers; give "
            "the command where sbatch is, or start workers by hand with fashionbench worker."
        ) from None
