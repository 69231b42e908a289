#!/usr/bin/env bash
# A task of Ray computes on as many threads as the task before it in the same process asked for.
#
# Expected: Ray sets OMP_NUM_THREADS to the CPUs that a task asks for, so a task that asks for two
# computes on two threads, and one that asks for one on one.
# Happens: the variable is set anew for each task, but NumPy's BLAS (as torch) reads it once, when
# it is loaded, and Ray reuses processes. Two CPUs are reserved and one computes; or one is reserved
# and two compute. Which it is depends on the order in which tasks came. os.environ says otherwise.
# Versions: ray 2.60.0, numpy 2.4.6, threadpoolctl 3.6.0; Python 3.11.
# For a user: speeds differ from task to task for no visible reason, and so may the last digits of
# sums. Set the number inside the task (torch.set_num_threads, threadpoolctl), or use actors, which
# have a process of their own.
#
# Seen:
#   one CPU, then two: asked 1, OMP_NUM_THREADS=1, computes on 1
#   one CPU, then two: asked 2, OMP_NUM_THREADS=2, computes on 1
#   two CPUs, then one: asked 2, OMP_NUM_THREADS=2, computes on 2
#   two CPUs, then one: asked 1, OMP_NUM_THREADS=1, computes on 2
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'ray==2.60.0' 'numpy==2.4.6' 'threadpoolctl==3.6.0'
cat > tasks.py <<'PY'
import os
import sys

import ray


@ray.remote
def measure():
    import numpy as np
    import threadpoolctl

    np.ones((2, 2)) @ np.ones((2, 2))
    (blas,) = threadpoolctl.threadpool_info()
    return os.getpid(), int(os.environ["OMP_NUM_THREADS"]), blas["num_threads"]


order = [int(count) for count in sys.argv[1:]]
ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False, logging_level="ERROR")
seen = [ray.get(measure.options(num_cpus=count).remote()) for count in order]
name = "one CPU, then two" if order == [1, 2] else "two CPUs, then one"
for asked, (_, variable, threads) in zip(order, seen):
    print(f"{name}: asked {asked}, OMP_NUM_THREADS={variable}, computes on {threads}")
assert [variable for _, variable, _ in seen] == order
assert len({process for process, _, _ in seen}) == 1
assert [threads for _, _, threads in seen] == [order[0]] * 2
PY
for order in '1 2' '2 1'; do
  # shellcheck disable=SC2086
  env -u OMP_NUM_THREADS -u OPENBLAS_NUM_THREADS venv/bin/python tasks.py $order
done
