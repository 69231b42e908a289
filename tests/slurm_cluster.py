"""Slurm as it is, on this machine alone: a controller and a node, in a folder of their own.

For the tests, and for whoever wants to try: `python tests/slurm_cluster.py FOLDER` starts it and
says what to export. Needs Debian's slurm-wlm and the superuser.
"""

import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from string import Template

__all__ = ["SlurmCluster", "why_not_here"]

_CONFIGURATION = Template("""\
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
KillWait=5
OverTimeLimit=0
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
""")


def why_not_here() -> str:
    """Give the reason why Slurm cannot be started on this machine; empty where it can."""
    missing = [name for name in ("slurmctld", "slurmd", "sbatch") if not shutil.which(name)]
    if missing:
        return f"needs {', '.join(missing)}: apt-get install slurm-wlm"
    return "" if os.geteuid() == 0 else "slurmd needs the superuser"


class SlurmCluster:
    """A controller and one node of two processors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in ("state", "spool"):
            (folder / part).mkdir(parents=True)
        self.configuration = folder / "slurm.conf"
        self.configuration.write_text(
            _CONFIGURATION.substitute(host=platform.node(), folder=folder)
        )
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start both, and wait until the node is ready."""
        for program in ("slurmctld", "slurmd"):
            log = (self.folder / f"{program}.out").open("wb")
            command = [program, "-D", "-f", str(self.configuration)]
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log))
            log.close()
        deadline = time.monotonic() + 60
        while self.ask("sinfo", "--noheader", "--format=%T").strip() != "idle":
            assert time.monotonic() < deadline, "the node of Slurm's does not become idle"
            time.sleep(0.2)

    def stop(self) -> None:
        """End both and all jobs."""
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)

    def ask(self, *command: str) -> str:
        """Run a program of Slurm's for this cluster."""
        environment = os.environ | {"SLURM_CONF": str(self.configuration)}
        return subprocess.run(command, capture_output=True, text=True, env=environment).stdout


if __name__ == "__main__":
    cluster = SlurmCluster(Path(sys.argv[1]).resolve())
    cluster.start()
    sys.stdout.write(f"export SLURM_CONF={cluster.configuration}\n")
    sys.stdout.flush()
    signal.pause()
