"""Workers as a job array of Slurm: one script that a person may read, keep and change.

Slurm only starts workers; what they do they find in the run folder, which all nodes must see.
"""

import logging
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from string import Template

from fashionbench.core.files import write_atomically
from fashionbench.errors import FashionbenchError, UsageError
from fashionbench.experiments.cluster.claims import Holder

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
# exec: the signal goes to this process, which becomes the worker.
exec $python -m fashionbench worker $folder --minutes $work
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


class SlurmWorkers:
    """A job array, sent again while work is left and none of its tasks is."""

    poll = 2.0
    """Seconds between two looks into the inbox."""

    def __init__(
        self,
        run_folder: Path,
        script: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.script = script
        self.plan_folder, self.logs = run_folder / "plan", run_folder / "logs"
        self._note = self.plan_folder / "slurm.job"
        self._clock = clock
        self._looked = clock()
        self._starts = 0

    def start(self) -> None:
        """Send the array, unless that of an earlier command is still there."""
        if not self._are_there():
            self._send()

    def look_after(self, *, progressed: bool) -> list[Holder]:
        """Send the array again where all of it has ended; none of it is known to hold anything.

        Raises FashionbenchError where it ends again and again with nothing done.
        """
        self._starts = 0 if progressed else self._starts
        if self._clock() - self._looked < LOOK:
            return []
        self._looked = self._clock()
        if not self._are_there():
            if self._starts >= MOST_STARTS:
                raise FashionbenchError(
                    f"Slurm's workers ended {self._starts} times without finishing a run; "
                    f"{self.logs} tells why."
                )
            self._send()
        return []

    def stop(self, *, finished: bool) -> None:
        """Cancel workers that still wait in the queue: those that run end when nothing is left.

        Where this process ends before them, they all go on.
        """
        number = self._number()
        if number is None:
            return
        if finished:
            _call("scancel", "--state=PENDING", number)
            self._note.unlink(missing_ok=True)
        else:
            logger.warning(
                "The workers of Slurm's job %s go on; the same command takes in what they finish, "
                "and `scancel %s` ends them.",
                number,
                number,
            )

    def _send(self) -> None:
        self.logs.mkdir(exist_ok=True)  # or Slurm would run nothing, without a word
        script = self.plan_folder / "workers.sh"
        write_atomically(script, self.script.encode())
        number = _call("sbatch", "--parsable", str(script)).strip().partition(";")[0]
        write_atomically(self._note, number.encode())
        logger.info("Slurm's job %s starts workers; their messages are in %s.", number, self.logs)
        self._starts += 1

    def _number(self) -> str | None:
        try:
            return self._note.read_text("ascii")
        except OSError:
            return None

    def _are_there(self) -> bool:
        """Tell whether a task of the array runs or waits."""
        number = self._number()
        if number is None:
            return False
        answer = subprocess.run(
            ["squeue", "--noheader", "--format=%T", "--jobs", number],
            capture_output=True,
            text=True,
        )
        if answer.returncode and "Invalid job id" not in answer.stderr:
            logger.warning("squeue: %s", answer.stderr.strip())
            return True  # the controller may be away for a while: its jobs are not
        return bool(answer.stdout.strip())


def _call(program: str, *arguments: str) -> str:
    """Run a program of Slurm's. Raises UsageError with what it says."""
    try:
        answer = subprocess.run([program, *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        raise UsageError(
            f"There is no {program} on this machine, so Slurm cannot be asked for workers; give "
            "the command where sbatch is, or start workers by hand with fashionbench worker."
        ) from None
    if answer.returncode:
        raise UsageError(f"{program}: {answer.stderr.strip() or 'it failed without a word'}")
    return answer.stdout
