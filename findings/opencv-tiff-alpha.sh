#!/usr/bin/env bash
# OpenCV darkens a transparent TIFF by its alpha, and no other format.
#
# Expected: one RGBA picture gives the same three channels in every lossless format; alpha is
# dropped by IMREAD_COLOR and kept beside them by IMREAD_UNCHANGED. So it is for PNG, lossless
# WebP and JPEG 2000, and for Pillow in all of them.
# Happens: from a TIFF the colours come multiplied by alpha, with either flag: 200 under alpha
# 0, 64, 128, 255 is read as 0, 50, 100, 200. With IMREAD_UNCHANGED alpha is there as well, so
# blending with it darkens the edge twice.
# Versions: opencv-python-headless 5.0.0.93, pillow 13.0.0, numpy 2.4.6; Python 3.11.
# For a user: product pictures cut out in TIFF have black surroundings in OpenCV and whatever
# lies under the transparency in Pillow; converting a data set from TIFF to PNG changes it.
#
# Seen:
#   PNG       OpenCV colour [200, 200, 200, 200], unchanged [200, 200, 200, 200] with alpha [0, 64, 128, 255], Pillow [200, 200, 200, 200]
#   WEBP      OpenCV colour [200, 200, 200, 200], unchanged [200, 200, 200, 200] with alpha [0, 64, 128, 255], Pillow [200, 200, 200, 200]
#   JPEG2000  OpenCV colour [200, 200, 200, 200], unchanged [200, 200, 200, 200] with alpha [0, 64, 128, 255], Pillow [200, 200, 200, 200]
#   TIFF      OpenCV colour [0, 50, 100, 200], unchanged [0, 50, 100, 200] with alpha [0, 64, 128, 255], Pillow [200, 200, 200, 200]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'opencv-python-headless==5.0.0.93' 'pillow==13.0.0' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import io

import cv2
import numpy as np
from PIL import Image

picture = np.full((4, 4, 4), 200, "u1")
picture[..., 3] = [0, 64, 128, 255]
seen = {}
for name, options in [("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("JPEG2000", {}), ("TIFF", {})]:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, name, **options)
    data = np.frombuffer(file.getvalue(), "u1")
    colour = cv2.imdecode(data, cv2.IMREAD_COLOR)[0, :, 0].tolist()
    whole = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)[0]
    pillow = np.array(Image.open(file).convert("RGB"))[0, :, 0].tolist()
    seen[name] = colour, whole[:, 0].tolist(), pillow
    print(f"{name:9} OpenCV colour {colour}, unchanged {whole[:, 0].tolist()} with alpha"
          f" {whole[:, 3].tolist()}, Pillow {pillow}")
    assert whole[:, 3].tolist() == [0, 64, 128, 255] and pillow == [200] * 4
assert all(seen[n][0] == seen[n][1] == [200] * 4 for n in ("PNG", "WEBP", "JPEG2000"))
assert seen["TIFF"][0] == seen["TIFF"][1] == [0, 50, 100, 200]
PY
