#!/usr/bin/env bash
# Pictures that were edited in place are stored in a datasets.Dataset as they were before.
#
# Expected: a Pillow picture that goes into an Image column, from a list or as the answer of a
# function in map(), is stored with the pixels that it has.
# Happens: a picture that came from a file and was changed in place, by thumbnail(), paste(),
# putpixel() or ImageDraw, still has its .filename, and datasets stores that path, and later the
# bytes of that file, instead of the pixels. A map() that shrinks all pictures or blacks out a face
# runs, shows its progress and changes nothing. What returns a new picture, as resize() and
# copy() do, is stored right.
# Versions: datasets 5.2.0, pillow 13.0.0, pyarrow 26.0.1, numpy 2.4.6; Python 3.11.
# For a user: return picture.copy() after editing in place, and look at the stored pixels where the
# edit was meant to remove something.
#
# Seen:
#   photo.png: brightest value after blacking out: 0 in Pillow, 255 from a list, 255 from map, 0 of a copy
#   photo.png: size after thumbnail((8, 8)) in map (32, 32), after resize((8, 8)) (8, 8)
#   photo.jpg: brightest value after blacking out: 0 in Pillow, 255 from a list, 255 from map, 0 of a copy
#   photo.jpg: size after thumbnail((8, 8)) in map (32, 32), after resize((8, 8)) (8, 8)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'datasets==5.2.0' 'pillow==13.0.0' 'pyarrow==26.0.1' 'numpy==2.4.6'
HF_HUB_OFFLINE=1 HF_HOME="$work/cache" OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import numpy as np
from datasets import Dataset, Features, Image, disable_progress_bars
from PIL import Image as Pillow
from PIL import ImageDraw

disable_progress_bars()
noise = np.random.default_rng(0).integers(1, 256, (32, 32, 3), dtype=np.uint8)
features = Features({"image": Image()})


def black(picture):
    ImageDraw.Draw(picture).rectangle((0, 0, 31, 31), fill=(0, 0, 0))
    return picture


def small(picture):
    picture.thumbnail((8, 8))
    return picture


for name in ("photo.png", "photo.jpg"):
    Pillow.fromarray(noise).save(name)
    edited = black(Pillow.open(name))
    listed = Dataset.from_dict({"image": [edited]}, features=features)[0]["image"]
    files = Dataset.from_dict({"image": [name]}, features=features)
    blacked = files.map(lambda row: {"image": black(row["image"])})[0]["image"]
    shrunk = files.map(lambda row: {"image": small(row["image"])})[0]["image"]
    copied = files.map(lambda row: {"image": black(row["image"]).copy()})[0]["image"]
    resized = files.map(lambda row: {"image": row["image"].resize((8, 8))})[0]["image"]
    brightest = [int(np.asarray(picture).max()) for picture in (edited, listed, blacked, copied)]
    print(f"{name}: brightest value after blacking out: {brightest[0]} in Pillow, {brightest[1]} from a list,",
          f"{brightest[2]} from map, {brightest[3]} of a copy")
    print(f"{name}: size after thumbnail((8, 8)) in map {shrunk.size}, after resize((8, 8)) {resized.size}")
    assert brightest[0] == brightest[3] == 0 and min(brightest[1:3]) > 200
    assert shrunk.size == (32, 32) and resized.size == (8, 8)
PY
