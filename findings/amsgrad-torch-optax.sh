#!/usr/bin/env bash
# AMSGrad of PyTorch and AMSGrad of optax are two methods.
#
# Expected: Adam(amsgrad=True) and optax.amsgrad with equal settings go the same way, as Adam of
# the two and most others do, to rounding.
# Happens: optax takes the running maximum of the second moment after the bias correction,
# torch before it and corrects the maximum. Started from zero, the uncorrected moment grows for
# a long while even as the gradients shrink, so torch's AMSGrad is Adam, to four digits after 20
# steps on a bowl; in optax the first gradients, the largest, hold the step down from the second
# step on, and the weights are elsewhere by then.
# Versions: torch 2.13.0, optax 0.2.8, jax 0.10.2; Python 3.11.
# For a user: a finding that 'AMSGrad differs from Adam', or that it does not, is one about
# the library. Name it with the result.
#
# Seen:
#   torch Adam       1.11936   0.27115   0.05319
#   torch AMSGrad    1.11936   0.27113   0.05316
#   optax Adam       1.11937   0.27115   0.05318
#   optax AMSGrad    1.36240   0.08866  -0.08687
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'optax==0.2.8' 'jax==0.10.2' 'jaxlib==0.10.2' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import jax.numpy as jnp
import numpy as np
import optax
import torch

START, SLOPE, STEPS = [3.0, -1.0, 0.5], [2.0, 20.0, 0.2], 20


def by_torch(**settings):
    weights = torch.nn.Parameter(torch.tensor(START))
    optimizer = torch.optim.Adam([weights], lr=0.1, **settings)
    for _ in range(STEPS):
        weights.grad = weights.detach() * torch.tensor(SLOPE)
        optimizer.step()
    return weights.detach().numpy()


def by_optax(method):
    weights = jnp.array(START)
    state = method.init(weights)
    for _ in range(STEPS):
        updates, state = method.update(weights * jnp.array(SLOPE), state, weights)
        weights = optax.apply_updates(weights, updates)
    return np.asarray(weights)


seen = {"torch Adam": by_torch(), "torch AMSGrad": by_torch(amsgrad=True),
        "optax Adam": by_optax(optax.adam(0.1)), "optax AMSGrad": by_optax(optax.amsgrad(0.1))}
for name, weights in seen.items():
    print(f"{name:14}", *(f"{w:9.5f}" for w in weights))
assert np.allclose(seen["torch Adam"], seen["optax Adam"], atol=1e-4)
assert np.allclose(seen["torch AMSGrad"], seen["torch Adam"], atol=1e-4)
assert abs(seen["optax AMSGrad"] - seen["torch AMSGrad"]).max() > 0.1
PY
