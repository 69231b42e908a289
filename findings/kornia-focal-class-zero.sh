#!/usr/bin/env bash
# With a focal loss of kornia a network calls three quarters of balanced pictures class 0.
#
# Expected: alpha, 0.25 in the paper and in the examples, weights all classes of a classification alike
# (a factor of the loss), or it is a list with a weight a class.
# Happens: kornia takes class 0 for the background of a detector, in classification too. It gets the
# weight 1 - alpha and all others alpha: at 0.25 the T-shirts of Fashion-MNIST weigh three times a
# trouser, at 0.75 a third. On three overlapping, equally frequent classes the share of predictions for
# class 0 goes from 32 % to 76 %, and the accuracy from 57 % to 49 %. (The docstring says so.)
# Versions: torch 2.13.0, kornia 0.9.0; Python 3.11.
# For a user: alpha=None, or alpha=0.5, which is a factor; weights of the classes go into weight=.
#
# Seen:
#   alpha None: loss of an undecided picture of class 0 1.865, of class 1 1.865; trained: class 0 predicted 32%, accuracy 57.1%
#   alpha 0.25: loss of an undecided picture of class 0 1.399, of class 1 0.466; trained: class 0 predicted 76%, accuracy 48.5%
#   alpha 0.5: loss of an undecided picture of class 0 0.933, of class 1 0.933; trained: class 0 predicted 32%, accuracy 57.1%
#   alpha 0.75: loss of an undecided picture of class 0 0.466, of class 1 1.399; trained: class 0 predicted 5%, accuracy 53.0%
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'kornia==0.9.0' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import torch
from kornia.losses import focal_loss

even, labels = torch.zeros(10, 10), torch.arange(10)
torch.manual_seed(0)
classes = torch.randint(0, 3, (5000,))
points = torch.randn(5000, 2) + torch.tensor([[0.0, 0], [1, 0], [0, 1]])[classes]
seen = {}
for alpha in (None, 0.25, 0.5, 0.75):
    losses = focal_loss(even, labels, alpha=alpha, gamma=2.0, reduction="none").sum(1)
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 3)
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(300):
        optimizer.zero_grad()
        focal_loss(model(points), classes, alpha=alpha, gamma=2.0, reduction="mean").backward()
        optimizer.step()
    predicted = model(points).argmax(1)
    seen[alpha] = (predicted == 0).float().mean().item(), (predicted == classes).float().mean().item()
    print(f"alpha {alpha}: loss of an undecided picture of class 0 {losses[0]:.3f}, of class 1 {losses[1]:.3f}; "
          f"trained: class 0 predicted {seen[alpha][0]:.0%}, accuracy {seen[alpha][1]:.1%}")
    assert torch.allclose(losses[0] * (alpha or 0.5), losses[1] * (1 - (alpha or 0.5)))
assert seen[0.25][0] > 0.6 and seen[0.75][0] < 0.15 and 0.28 < seen[None][0] < 0.38
assert seen[0.25][1] < seen[None][1] - 0.05
PY
