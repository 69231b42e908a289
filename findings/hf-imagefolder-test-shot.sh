#!/usr/bin/env bash
# A picture named "test shot.png" in a folder of 901: the data set has that one picture.
#
# Expected: load_dataset("imagefolder", data_dir=...) reads all pictures below the folder, and the names of
# their folders are the labels. A folder "train" or "test" at the top makes splits.
# Happens: the words train, test, dev, eval, val and their like count anywhere in a path
# or a file's name, if no letter stands beside them. As soon as one path has one, only such paths
# are taken, and all other pictures are left out without a word. A class "train-shoe", "dev board" or "test tube" is all that is left, and has no label, since it
# is the only class.
# Versions: datasets 5.2.0, pillow 13.0.0, pyarrow 26.0.1, numpy 2.4.6; Python 3.11.
# For a user: compare the number of rows with the number of files. data_files={"train": "**"} takes
# all of them, with labels from their folders.
#
# Seen:
#   plain: 900 files; train 900 rows, labels ['bag', 'boot', 'coat']
#   one-name: 901 files; test 1 rows, labels None
#   one-class: 900 files; train 300 rows, labels None
#   all: 901 files; train 901 rows, labels ['bag', 'boot', 'train-shoe']
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'datasets==5.2.0' 'pillow==13.0.0' 'pyarrow==26.0.1' 'numpy==2.4.6'
HF_HUB_OFFLINE=1 HF_HOME="$work/cache" OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
from pathlib import Path

from datasets import disable_progress_bars, load_dataset
from PIL import Image

disable_progress_bars()


def read(folder, classes, extra=(), **options):
    for name in [f"{label}/{k}.png" for label in classes for k in range(300)] + list(extra):
        Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8)).save(Path(folder, name))
    found = load_dataset("imagefolder", data_dir=folder, **options)
    print(f"{folder}: {len(list(Path(folder).rglob('*.png')))} files;",
          "; ".join(f"{split} {len(rows)} rows, labels {getattr(rows.features.get('label'), 'names', None)}"
                    for split, rows in found.items()))
    return {split: len(rows) for split, rows in found.items()}


assert read("plain", ["bag", "boot", "coat"]) == {"train": 900}
assert read("one-name", ["bag", "boot", "coat"], ["bag/test shot.png"]) == {"test": 1}
assert read("one-class", ["bag", "boot", "train-shoe"]) == {"train": 300}
assert read("all", ["bag", "boot", "train-shoe"], ["bag/test shot.png"], data_files={"train": "**"}) == {"train": 901}
PY
