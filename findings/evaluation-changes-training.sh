#!/usr/bin/env bash
# Looking at the validation images between epochs trains another network.
#
# Expected: evaluation under torch.no_grad(), in eval mode, from a DataLoader that does not
# shuffle, changes nothing: the same seed ends at the same weights with and without it.
# Happens: every iterator of a DataLoader, shuffled or not and with no worker processes, draws
# a number from PyTorch's global generator, and the next epoch's order is drawn from there. A
# run that is evaluated after each epoch sees another order from the second epoch on; one that
# is evaluated twice, yet another. Whoever adds a validation curve, or switches it off for
# speed, compares two different seeds without knowing.
# Versions: torch 2.13.0; Python 3.11.
# For a user: give the training loader a generator of its own (generator=torch.Generator()),
# and the evaluation one too.
#
# Seen:
#   no evaluation against one an epoch: order of epoch 1 equal True, of epoch 2 False; weights differ by 0.0066
#   with a generator of its own for the training loader: weights differ by 0.0000
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)
inputs, labels = torch.randn(256, 8), torch.randint(0, 2, (256,))
training = TensorDataset(inputs, labels, torch.arange(256))
validation = DataLoader(TensorDataset(inputs[:64]), 32)


def train(evaluations, generator=None):
    torch.manual_seed(0)
    model = nn.Linear(8, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(training, 32, shuffle=True, generator=generator)
    orders = []
    for _ in range(3):
        order = []
        for x, y, positions in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            order += positions.tolist()
        orders.append(order)
        model.eval()
        with torch.no_grad():
            for _ in range(evaluations):
                for (x,) in validation:
                    model(x)
        model.train()
    return orders, model.weight.detach()


(first, a), (second, b) = train(0), train(1)
print(f"no evaluation against one an epoch: order of epoch 1 equal {first[0] == second[0]}, "
      f"of epoch 2 {first[1] == second[1]}; weights differ by {(a - b).abs().max():.4f}")
own = [train(n, torch.Generator().manual_seed(0))[1] for n in (0, 1)]
print(f"with a generator of its own for the training loader: weights differ by {(own[0] - own[1]).abs().max():.4f}")
assert first[0] == second[0] and first[1] != second[1] and not torch.equal(a, b)
assert torch.equal(*own)
PY
