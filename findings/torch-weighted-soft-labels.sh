#!/usr/bin/env bash
# With class weights the same labels cost several times as much once they are one-hot.
#
# Expected: cross_entropy of class numbers and of the same labels as one-hot rows are equal, with
# weight= too; and label smoothing of 0.1 over ten classes leaves 1 % to each wrong class.
# Happens: for class numbers PyTorch's mean divides by the sum of the weights of the batch, for rows
# by the number of images. Whoever weights a frequent class by 1 and a rare one by 20 and then switches
# MixUp on, which needs rows, multiplies the loss and all gradients, by 2.9 on a batch with a tenth of
# rare images. Label smoothing weights the part that it gives to the wrong classes as well: the loss of
# an image of a frequent class is least where the rare class has 17 %, in place of 1 %.
# Versions: torch 2.13.0; Python 3.11. (The formulas of the documentation say so.)
# For a user: weights of mean 1 over the images of the data set, or a sampler in place of weights.
#
# Seen:
#   without weights: loss of class numbers 2.654, of one-hot rows 2.654; gradient 1.00 times as large
#   with weights: loss of class numbers 2.704, of one-hot rows 7.842; gradient 2.90 times as large
#   label smoothing without weights: the best answer for class 0 gives it 91.0% and the rare class 1.0%
#   label smoothing with weights: the best answer for class 0 gives it 76.5% and the rare class 16.8%
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import torch
from torch.nn.functional import cross_entropy, one_hot

torch.manual_seed(0)
weights = torch.ones(10)
weights[9] = 20  # the rare class
labels = torch.randint(0, 9, (1000,))
labels[:100] = 9
logits = torch.randn(1000, 10, requires_grad=True)
rows = one_hot(labels, 10).float()
seen = {}
for name, settings in {"without weights": {}, "with weights": {"weight": weights}}.items():
    losses = [cross_entropy(logits, target, **settings) for target in (labels, rows)]
    sizes = [torch.autograd.grad(loss, logits)[0].norm() for loss in losses]
    print(f"{name}: loss of class numbers {losses[0]:.3f}, of one-hot rows {losses[1]:.3f}; gradient {sizes[1] / sizes[0]:.2f} times as large")
    seen[name] = float(sizes[1] / sizes[0])


def best_answer(**settings):
    """Return the probabilities of classes 0 and 9 that cost an image of class 0 the least."""
    answer = torch.zeros(1, 10, requires_grad=True)
    optimizer = torch.optim.LBFGS([answer], max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = cross_entropy(answer, torch.tensor([0]), label_smoothing=0.1, **settings)
        value.backward()
        return value

    optimizer.step(loss)
    return answer.detach().softmax(1)[0, [0, 9]].tolist()


for name, settings in {"without weights": {}, "with weights": {"weight": weights}}.items():
    own, rare = best_answer(**settings)
    print(f"label smoothing {name}: the best answer for class 0 gives it {own:.1%} and the rare class {rare:.1%}")
    seen["smoothing " + name] = rare
assert abs(seen["without weights"] - 1) < 1e-3 and seen["with weights"] > 2.5
assert seen["smoothing without weights"] < 0.02 and seen["smoothing with weights"] > 0.1
PY
