#!/usr/bin/env bash
# While one thread traces a network, the forward pass of any other network fails in every thread.
#
# Expected: torch.fx.symbolic_trace(model) looks at `model` alone. Its documentation says nothing of
# threads, so a server that answers with one network while it prepares another should be safe.
# Happens: for the time of the trace nn.Module.__call__ is replaced for the whole process. A call of
# an unrelated network in another thread is taken for a part of the traced one and raises NameError
# ("module is not installed as a submodule"). After the trace the same call works again.
# Versions: torch 2.13.0; Python 3.11. (So too under torch 2.15.0.)
# For a user: trace under a lock that every forward pass of the process takes as well, in another
# process, or with a Tracer whose calls are recorded on a copy of the network alone.
#
# Seen:
#   before: Tensor
#   during a trace: NameError module is not installed as a submodule
#   after: Tensor
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import threading

import torch
from torch import fx, nn

served = nn.Linear(4, 2)


def answer(said):
    """Answer with the network that is not traced; say what came."""
    try:
        said.append(type(served(torch.zeros(1, 4))).__name__)
    except Exception as error:
        said.append(f"{type(error).__name__} {error}")


def in_another_thread():
    said = []
    thread = threading.Thread(target=answer, args=(said,))
    thread.start()
    thread.join()
    return said[0]


class Prepared(nn.Module):
    """Its forward pass takes long enough for another thread to answer meanwhile."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x):
        during.append(in_another_thread())
        return self.layer(x)


during = []
before = in_another_thread()
fx.symbolic_trace(Prepared())
after = in_another_thread()
print("before:", before)
print("during a trace:", during[0])
print("after:", after)
assert (before, after) == ("Tensor", "Tensor")
assert during == ["NameError module is not installed as a submodule"]
PY
