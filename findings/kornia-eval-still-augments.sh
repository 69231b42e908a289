#!/usr/bin/env bash
# Augmentation layers of kornia go on augmenting after eval().
#
# Expected: an augmentation that is an nn.Module and stands first in a model does what Dropout
# does there, and what the augmentation layers of Keras do: nothing in evaluation.
# Happens: kornia's layers do not look at .training. After model.eval() they flip, erase and
# change colours as before, so the scores of a picture vary from call to call and accuracy is
# that of augmented pictures. Neither eval() nor inference_mode() helps.
# Versions: kornia 0.9.0, torch 2.13.0; Python 3.11.
# For a user: keep the augmentation outside the model, or branch on self.training around it;
# call the evaluated model twice and compare.
#
# Seen:
#   Dropout: training False, two calls equal True, classes changed 0 of 64
#   RandomHorizontalFlip: training False, two calls equal False, classes changed 19 of 64
#   RandomErasing: training False, two calls equal False, classes changed 10 of 64
#   RandomAffine: training False, two calls equal False, classes changed 28 of 64
#   AugmentationSequential: training False, two calls equal False, classes changed 26 of 64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'kornia==0.9.0' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import warnings

warnings.simplefilter("ignore")
import kornia.augmentation as K
import torch
from torch import nn

torch.manual_seed(0)
images = torch.rand(64, 1, 28, 28)
seen = {}
for name, layer in [("Dropout", nn.Dropout(0.5)), ("RandomHorizontalFlip", K.RandomHorizontalFlip(p=0.5)),
                    ("RandomErasing", K.RandomErasing(p=0.5)), ("RandomAffine", K.RandomAffine(20.0)),
                    ("AugmentationSequential", K.AugmentationSequential(K.RandomHorizontalFlip(p=0.5)))]:
    model = nn.Sequential(layer, nn.Flatten(), nn.Linear(784, 10)).eval()
    with torch.inference_mode():
        first, second = model(images), model(images)
    changed = int((first.argmax(1) != second.argmax(1)).sum())
    seen[name] = torch.equal(first, second)
    print(f"{name}: training {layer.training}, two calls equal {seen[name]}, classes changed {changed} of 64")
    assert not layer.training
assert seen.pop("Dropout") and not any(seen.values())
PY
