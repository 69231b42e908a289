#!/usr/bin/env bash
# The same assignment gives other pixels in HDF5 than in Zarr or NumPy.
#
# Expected: whole numbers outside 0..255 written into an array of uint8 wrap around in h5py and
# zarr as they do in NumPy's astype, or all three clip.
# Happens: h5py clips (300 to 255, -1 to 0), zarr wraps (300 to 44, -1 to 255). An augmented
# int16 picture that overshoots by one stays nearly white or black in one store and turns into
# its opposite in the other. Reading shows the same split: h5py's astype('int8') view of a
# dataset clips 200 to 127 where reading and then casting gives -56.
# Versions: h5py 3.16.0, zarr 3.1.6, numpy 2.4.6; Python 3.11.
# For a user: moving a pipeline from one store to the other changes the data where it leaves
# its range. Clip and cast before writing.
#
# Seen:
#   given [-1, 0, 255, 256, 300]
#   h5py  [0, 0, 255, 255, 255]
#   zarr  [255, 0, 255, 0, 44]
#   numpy [255, 0, 255, 0, 44]
#   uint8 [100, 200] as int8: h5py's view [100, 127] read, then cast [100, -56]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'h5py==3.16.0' 'zarr==3.1.6' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import h5py
import numpy as np
import zarr

pixels = np.array([-1, 0, 255, 256, 300], "i2")
with h5py.File("a.h5", "w") as file:
    stored = file.create_dataset("x", shape=(5,), dtype="u1")
    stored[:] = pixels
    hdf5 = stored[:].tolist()
    other = file.create_dataset("y", data=np.array([100, 200], "u1"))
    view, cast = other.astype("i1")[:].tolist(), other[:].astype("i1").tolist()
array = zarr.create_array("a.zarr", shape=(5,), chunks=(5,), dtype="u1")
array[:] = pixels
print("given", pixels.tolist())
print("h5py ", hdf5)
print("zarr ", array[:].tolist())
print("numpy", pixels.astype("u1").tolist())
print("uint8 [100, 200] as int8: h5py's view", view, "read, then cast", cast)
assert hdf5 == [0, 0, 255, 255, 255]
assert array[:].tolist() == pixels.astype("u1").tolist() == [255, 0, 255, 0, 44]
assert view == [100, 127] and cast == [100, -56]
PY
