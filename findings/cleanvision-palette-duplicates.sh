#!/usr/bin/env bash
# A red picture and a blue one are exact duplicates, and so are a picture and its scrambled rows.
#
# Expected: cleanvision's "exact_duplicates" are pictures with the same pixels.
# Happens: it hashes the bytes of the picture as Pillow opened it, without palette, size or mode. A
# PNG with a palette is then known by its indices alone: the same shirt in red and in blue is one
# picture. So are pictures of other shapes with the same bytes in a row: 40 x 60 and 60 x 40 of one
# colour, or one of noise read with another width. near_duplicates, which looks at the picture, leaves
# all of them out.
# Versions: cleanvision 0.3.7, pillow 13.0.0, numpy 2.4.6, pandas 3.1.1; Python 3.11.
# For a user: whoever deletes what is an exact duplicate loses the blue shirts. Convert to RGB and
# compare the size too before you delete.
#
# Seen:
#   modes P and P of the shirts, pixels (200, 0, 0) and (0, 0, 200)
#   exact duplicates: blue.png = red.png; noise.png = scrambled.png; tall.png = wide.png
#   near duplicates: none
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  'cleanvision==0.3.7' 'pillow==13.0.0' 'numpy==2.4.6' 'pandas==3.1.1'
OMP_NUM_THREADS=1 venv/bin/python - 2>/dev/null <<'PY'
import contextlib
import io
from pathlib import Path

import numpy as np
from cleanvision import Imagelab
from PIL import Image

folder = Path("pictures")
folder.mkdir()
shirt = np.zeros((64, 64), "u1")
shirt[16:48, 20:44] = 1
for name, colour in (("red", (200, 0, 0)), ("blue", (0, 0, 200))):
    image = Image.fromarray(shirt)
    image.putpalette([255, 255, 255, *colour])
    image.save(folder / f"{name}.png")
noise = np.random.default_rng(0).integers(0, 256, (40, 60), dtype="u1")
flat = np.full((40, 60), 77, "u1")
for name, pixels in {"wide": flat, "tall": flat.T, "noise": noise, "scrambled": noise.reshape(60, 40)}.items():
    Image.fromarray(np.ascontiguousarray(pixels)).save(folder / f"{name}.png")
opened = [Image.open(folder / f"{name}.png") for name in ("red", "blue")]
print("modes", " and ".join(image.mode for image in opened), "of the shirts, pixels",
      " and ".join(str(image.convert("RGB").getpixel((30, 30))) for image in opened))
with contextlib.redirect_stdout(io.StringIO()):
    lab = Imagelab(data_path=str(folder))
    lab.find_issues(n_jobs=1)
seen = {}
for kind in ("exact_duplicates", "near_duplicates"):
    seen[kind] = sorted(sorted(Path(path).name for path in one) for one in lab.info[kind]["sets"])
    print(kind.replace("_", " ") + ":", "; ".join(" = ".join(one) for one in seen[kind]) or "none")
assert seen["exact_duplicates"] == [["blue.png", "red.png"], ["noise.png", "scrambled.png"], ["tall.png", "wide.png"]]
assert seen["near_duplicates"] == []
PY
