"""A process that runs the jobs it is told on standard input: see processes.run_in_processes.

The first line is the setting, each further line a job; each job is answered by one line: when
its record is in the store, or what went wrong. Input that ends means that nobody is there to
answer to, so the process ends with it, also in the middle of a job.
"""

import json
import os
import signal
import sys
import traceback
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from fashionbench.config.study import Job
from fashionbench.core.shape import Shape
from fashionbench.errors import FashionbenchError

__all__ = ["main"]


def main() -> None:
    """Answer jobs until the input ends."""
    # Ctrl-C reaches every process of a terminal; the one that started this decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Bars of several processes would be drawn over each other.
    os.environ["TQDM_DISABLE"] = "1"
    # Whatever a person's model prints must not get between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    setting = json.loads(sys.stdin.readline())
    sys.path[:] = setting["path"]

    import torch

    from fashionbench.data.datasets import load_data
    from fashionbench.data.split import Dataset, deal_anew
    from fashionbench.experiments.gate import Examination
    from fashionbench.experiments.run import run_job
    from fashionbench.store.run_store import RunStore

    torch.set_num_threads(setting["threads"])
    examined = Examination(**setting["examined"])

    @cache
    def load(dataset: str, source: str, shape: Shape) -> Dataset:
        return load_data(
            dataset,
            setting["data_dir"],
            channels=shape.channels,
            size=shape.side,
            source=source,
        )

    waiting = SimpleQueue[str]()
    Thread(target=_listen, args=(waiting,), daemon=True).start()
    while True:
        job = Job.model_validate_json(waiting.get())
        try:
            store = RunStore(Path(setting["folder"]))
            dataset = deal_anew(load(job.dataset, job.dataset_source, job.shape), job.split)
            run_job(job, dataset, torch.device("cpu"), store, examined, alone=False)
            answer = {"done": job.key}
        except FashionbenchError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        except Exception as error:
            traceback.print_exc()
            message = f"{job.model} failed from seed {job.seed}: {type(error).__name__}: {error}"
            answer = {"error": "FashionbenchError", "message": message}
        print(json.dumps(answer), file=answers, flush=True)


def _listen(waiting: "SimpleQueue[str]") -> None:
    """Read jobs while another runs: only so is the end of the input noticed at once."""
    for line in sys.stdin:
        waiting.put(line)
    os._exit(0)


if __name__ == "__main__":
    main()
