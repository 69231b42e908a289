#!/usr/bin/env bash
# Two pictures whose names share what stands before the first dot become one sample.
#
# Expected: samples written by TarWriter under the keys 'shoe.v1', 'shoe.v2', 'bag.A' and 'hat'
# are read back by WebDataset as four samples, each with 'png' and 'cls'.
# Happens: a key ends at the first dot, not at the last. Three samples come back: 'shoe' with
# 'v1.png', 'v1.cls', 'v2.png', 'v2.cls'; 'bag' with 'a.png', its capital lost; and 'hat'.
# Neither the writer nor the reader says anything.
# Versions: webdataset 1.0.2, numpy 2.4.6, pillow 13.0.0; Python 3.11.
# For a user: names such as 'IMG_01.orig', 'shirt.front' or dates with dots shrink the data
# set. Replace the dots in keys, and count the samples after writing.
#
# Seen:
#   written 4 samples, read 3
#     shoe: v1.cls, v1.png, v2.cls, v2.png
#     bag: a.cls, a.png
#     hat: cls, png
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'webdataset==1.0.2' 'numpy==2.4.6' 'pillow==13.0.0'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import logging

logging.disable(logging.WARNING)
import numpy as np
import webdataset

with webdataset.TarWriter("data.tar") as tar:
    for label, key in enumerate(["shoe.v1", "shoe.v2", "bag.A", "hat"]):
        tar.write({"__key__": key, "png": np.full((4, 4), label, "u1"), "cls": label})
back = {s["__key__"]: sorted(k for k in s if not k.startswith("__"))
        for s in webdataset.WebDataset("data.tar", shardshuffle=False).decode("l8")}
print("written 4 samples, read", len(back))
for key, fields in back.items():
    print(f"  {key}: {', '.join(fields)}")
assert back == {"shoe": ["v1.cls", "v1.png", "v2.cls", "v2.png"],
                "bag": ["a.cls", "a.png"], "hat": ["cls", "png"]}
PY
