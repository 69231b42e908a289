#!/usr/bin/env bash
# The same EXIF data turns a HEIC if it is given as bytes, and not if it is given as an object; and
# an object that an AVIF was saved with has lost its orientation for all that is saved next.
#
# Expected: Pillow's `save` takes `exif` as bytes or as an Image.Exif object, both write the same
# file, and the object stays as it is. So it is for JPEG, PNG and WebP.
# Happens: HEIC with bytes is marked to be turned by HEIF's own transform, and opens upright. With
# an object it is not: it holds the same EXIF data, but opens lying, in every reader that follows
# the standard (HEIF's transform counts, EXIF's orientation does not). AVIF is turned in both cases,
# but takes the orientation out of the caller's object. No warning, no error.
# Versions: pillow-heif 1.8.1, pillow 13.0.0; Python 3.11.
# For a user: `photo.save("copy.heic", exif=photo.getexif())`, the usual way to keep EXIF data,
# lays portraits on their side; saved as AVIF first, the JPEG saved next lies as well.
#
# Seen: a picture 60 wide and 40 high, with EXIF orientation 6 (turn it by a quarter)
#   JPEG as bytes (40, 60), as object (40, 60), then JPEG with that object (40, 60)
#   PNG  as bytes (40, 60), as object (40, 60), then JPEG with that object (40, 60)
#   WEBP as bytes (40, 60), as object (40, 60), then JPEG with that object (40, 60)
#   AVIF as bytes (40, 60), as object (40, 60), then JPEG with that object (60, 40)
#   HEIF as bytes (40, 60), as object (60, 40), then JPEG with that object (40, 60)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'pillow-heif==1.8.1' 'pillow==13.0.0'
venv/bin/python - <<'PY'
import io

from PIL import Image, ImageOps
from pillow_heif import register_heif_opener

register_heif_opener()


def shown(kind, exif):
    file = io.BytesIO()
    Image.new("RGB", (60, 40), "red").save(file, kind, exif=exif)
    return ImageOps.exif_transpose(Image.open(file)).size


upright, lying = (40, 60), (60, 40)
seen = {}
for kind in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF"):
    exif = Image.Exif()
    exif[0x0112] = 6
    seen[kind] = shown(kind, exif.tobytes()), shown(kind, exif), shown("JPEG", exif)
    as_bytes, as_object, after = seen[kind]
    print(f"{kind:4} as bytes {as_bytes}, as object {as_object}, then JPEG with that object {after}")
assert all(seen[kind] == (upright,) * 3 for kind in ("JPEG", "PNG", "WEBP"))
assert seen["AVIF"] == (upright, upright, lying)
assert seen["HEIF"] == (upright, lying, upright)
PY
