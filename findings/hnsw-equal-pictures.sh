#!/usr/bin/env bash
# A thousand copies of a blank picture hide half of 2000 others from a nearest-neighbour index.
#
# Expected: an HNSW index that finds every one of 2000 pictures goes on to find them when 1000 copies of
# a placeholder are among them. The copies are far from all queries and no answer to any.
# Happens: the copies have the distance 0 to each other and fill their lists of neighbours with copies.
# What was linked through them is cut off, and no search gets there: asked for the pictures
# of the index themselves, hnswlib misses 20 of 100, usearch 10 and faiss 54. A search sixteen times as
# wide helps hnswlib, usearch a little and faiss not at all. 100 copies do nearly no harm.
# Versions: hnswlib 0.8.0, faiss-cpu 1.15.1, usearch 2.26.6, numpy 2.4.6; Python 3.11.
# For a user: near doubles and label errors are looked for with such indexes, in data that nobody has
# cleaned yet. Take exact copies out first, by a hash of the pixels, and ask for some known pictures.
#
# Seen:
#   hnswlib: 0 copies, width 64 100.0%, 100 copies, width 64 99.2%, 1000 copies, width 64 79.5%, 1000 copies, width 1000 97.6%
#   faiss: 0 copies, width 64 100.0%, 100 copies, width 64 98.6%, 1000 copies, width 64 46.3%, 1000 copies, width 1000 46.3%
#   usearch: 0 copies, width 64 100.0%, 100 copies, width 64 99.5%, 1000 copies, width 64 90.3%, 1000 copies, width 1000 94.3%
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'hnswlib==0.8.0' 'faiss-cpu==1.15.1' 'usearch==2.26.6' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import faiss
import hnswlib
import numpy as np
from usearch.index import Index

faiss.omp_set_num_threads(1)


def by_hnswlib(pictures, queries, width):
    index = hnswlib.Index("l2", pictures.shape[1])
    index.init_index(len(pictures), M=16, ef_construction=200, random_seed=1)
    index.set_num_threads(1)
    index.add_items(pictures)
    index.set_ef(width)
    return index.knn_query(queries, k=1)[0][:, 0]


def by_faiss(pictures, queries, width):
    index = faiss.IndexHNSWFlat(pictures.shape[1], 16)
    index.hnsw.efConstruction, index.hnsw.efSearch = 200, width
    index.add(pictures)
    return index.search(queries, 1)[1][:, 0]


def by_usearch(pictures, queries, width):
    index = Index(ndim=pictures.shape[1], metric="l2sq", dtype="f32", connectivity=16, expansion_add=200, expansion_search=width)
    index.add(np.arange(len(pictures)), pictures, threads=1)
    return index.search(queries, 1, threads=1).keys.reshape(-1)


random = np.random.default_rng(0)
others, blank = random.random((2000, 32)).astype("f4"), random.random((1, 32)).astype("f4")
for search in (by_hnswlib, by_faiss, by_usearch):
    seen = {}
    for copies, width in ((0, 64), (100, 64), (1000, 64), (1000, 1000)):
        pictures = np.concatenate([np.repeat(blank, copies, 0), others])
        order = np.random.default_rng(copies).permutation(len(pictures))
        where = np.argsort(order)[copies:]
        seen[copies, width] = (search(pictures[order], others, width).astype(int) == where).mean()
    print(f"{search.__name__[3:]}:", ", ".join(f"{copies} copies, width {width} {share:.1%}" for (copies, width), share in seen.items()))
    assert seen[0, 64] > 0.998 and seen[1000, 64] < 0.95
PY
