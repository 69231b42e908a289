"""A process that runs the jobs it is told on standard input: see launch.run_in_processes.

The first line is the setting, each further line a job; each job is answered by one line
when its record is in the store. Ends with its input, so it outlives nobody.
"""

import json
import signal
import sys
from pathlib import Path

from fashionbench.config import Job
from fashionbench.errors import FashionbenchError

__all__ = ["main"]


def main() -> None:
    """Answer jobs until the input ends."""
    # Ctrl-C reaches every process of a terminal; the one that started this decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever a person's model prints must not get between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    setting = json.loads(sys.stdin.readline())
    sys.path[:] = setting["path"]

    import torch

    from fashionbench.data import load_data
    from fashionbench.records import RunStore
    from fashionbench.runs import run_job

    torch.set_num_threads(setting["threads"])
    for line in sys.stdin:
        try:
            store = RunStore(Path(setting["folder"]))
            dataset = load_data(setting["dataset"], setting["data"])
            job = Job.model_validate_json(line)
            run_job(job, dataset, torch.device("cpu"), store, alone=False)
            answer = {"done": job.key}
        except FashionbenchError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
