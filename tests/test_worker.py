"""The worker's protocol, spoken to it as a program."""

import json
import subprocess
import sys
from pathlib import Path

from test_runs import jobs

from fashionbench.records import RunStore

TALKATIVE = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))
        print("hello from the model")
"""


def test_jobs_are_answered_one_by_one_whatever_a_model_prints(tmp_path: Path) -> None:
    (tmp_path / "talkative.py").write_text(TALKATIVE)
    store = RunStore(tmp_path / "runs", create=True)
    [job] = jobs("v0", 1)
    own = job.model_copy(update={"model": "talkative:Net"})
    absent = job.model_copy(update={"model": "nowhere:Net"})
    setting = {
        "folder": str(store.folder),
        "dataset": "silhouettes",
        "data": None,
        "threads": 1,
        "path": [*sys.path, str(tmp_path)],
    }
    lines = [json.dumps(setting), *(each.model_dump_json() for each in (own, absent, job))]
    answer = subprocess.run(
        [sys.executable, "-m", "fashionbench.worker"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    first, second, third = map(json.loads, answer.stdout.splitlines())
    assert first == {"done": own.key}
    assert second["error"] == "UsageError"
    assert "nowhere:Net" in second["message"]
    assert third == {"done": job.key}
    assert "hello from the model" in answer.stderr
    assert store.load_run(own) is not None
