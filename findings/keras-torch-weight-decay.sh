#!/usr/bin/env bash
# SGD with the same learning rate, momentum and weight decay: Keras decays a tenth as fast as PyTorch.
#
# Expected: SGD(0.1, momentum=0.9, weight_decay=5e-4), the recipe of most CIFAR networks, is one method.
# Happens: PyTorch adds the decay to the gradient, so it goes through the momentum, which multiplies all
# that lasts by 1 / (1 - 0.9) = 10. Keras takes the decay off the weights beside the momentum, as
# AdamW does. After 1000 steps without a gradient 61 % of a weight are left in PyTorch and 95 % in Keras;
# without momentum the two agree. Keras also decays biases and the scales of normalization, as PyTorch does.
# Versions: keras 3.15.1, torch 2.13.0, numpy 2.4.6; Python 3.11.
# For a user: a recipe that moves from PyTorch to Keras needs weight_decay / (1 - momentum), or a
# kernel_regularizer of L2(weight_decay / 2), which goes through the momentum.
#
# Seen:
#   momentum 0.0: left of 1 in PyTorch 0.951, in Keras 0.951, with an L2 regularizer 0.951
#   momentum 0.9: left of 1 in PyTorch 0.608, in Keras 0.951, with an L2 regularizer 0.608
#   momentum 0.9: left in Keras with ten times the decay 0.606
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'keras==3.15.1' 'torch==2.13.0' 'numpy==2.4.6'
KERAS_BACKEND=torch KERAS_HOME="$work" OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import keras
import numpy as np
import torch


def by_torch(momentum, decay):
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=momentum, weight_decay=decay)
    weight.grad = torch.zeros(1)
    for _ in range(1000):
        optimizer.step()
    return float(weight.detach())


def by_keras(momentum, decay):
    weight = keras.Variable(np.ones(1, "f4"))
    optimizer = keras.optimizers.SGD(0.1, momentum=momentum, weight_decay=decay)
    optimizer.build([weight])
    for _ in range(1000):
        optimizer.apply([keras.ops.zeros(1)])
    return float(keras.ops.convert_to_numpy(weight)[0])


def by_keras_regularizer(momentum, decay):
    weight = keras.Variable(np.ones(1, "f4"))
    optimizer = keras.optimizers.SGD(0.1, momentum=momentum)
    optimizer.build([weight])
    penalty = keras.regularizers.L2(decay / 2)
    for _ in range(1000):
        value = torch.tensor(keras.ops.convert_to_numpy(weight), requires_grad=True)
        penalty(value).backward()
        optimizer.apply([value.grad])
    return float(keras.ops.convert_to_numpy(weight)[0])


left = {momentum: [f(momentum, 5e-4) for f in (by_torch, by_keras, by_keras_regularizer)] for momentum in (0.0, 0.9)}
tenfold = by_keras(0.9, 5e-3)
for momentum, (ours, theirs, penalty) in left.items():
    print(f"momentum {momentum}: left of 1 in PyTorch {ours:.3f}, in Keras {theirs:.3f}, with an L2 regularizer {penalty:.3f}")
print(f"momentum 0.9: left in Keras with ten times the decay {tenfold:.3f}")
assert abs(left[0.0][0] - left[0.0][1]) < 1e-3 and abs(left[0.9][0] - left[0.9][2]) < 1e-3
assert 9 < np.log(left[0.9][0]) / np.log(left[0.9][1]) < 11 and abs(tenfold - left[0.9][0]) < 0.01
PY
