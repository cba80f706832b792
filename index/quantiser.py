"""What splits vectors into lists: learned from some of them, and kept in the library from then on.

A quantiser is nothing but the middles of its lists. It is part of the truth, as the lists that a search looks through
depend on it: every generation has one or none, and never another one.
"""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

_ROUNDS = 10
_SEED = 1
# The middle of fewer vectors would tell of single ones, which may be purged later.
_FEWEST = 8
# float32 sums of a few hundred products differ by less than this with the order in which they are made.
_UNSURE = 1e-5


def learn(vectors: NDArray[np.float16], lists: int) -> NDArray[np.float32]:
    """Return the middles of about `lists` groups of vectors, of unit length: float32 (at most `lists`, dimensions).

    `vectors` are (count, dimensions). Each middle is that of at least 8 vectors that are not the same.

    Source: Dhillon & Modha, "Concept Decompositions for Large Sparse Text Data Using Clustering", 2001.
    """
    different = np.unique(vectors, axis=0).astype(np.float32)
    faiss.normalize_L2(different)
    lists = max(1, min(lists, len(different) // _FEWEST))
    means = faiss.Kmeans(
        different.shape[1], lists, niter=_ROUNDS, spherical=True, seed=_SEED, min_points_per_centroid=1,
        max_points_per_centroid=len(different),
    )  # fmt: skip
    means.train(different)
    assert means.centroids is not None
    centroids: NDArray[np.float32] = means.centroids
    counts = np.bincount(nearest_list(different, centroids), minlength=len(centroids))
    large = counts >= min(_FEWEST, counts.max())
    kept: NDArray[np.float32] = centroids[large]
    return kept


def nearest_list(
    vectors: NDArray[np.float16] | NDArray[np.float32], centroids: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Return the list of each vector, whose middle is nearest: int64 (vectors,). The first one of several."""
    rows = vectors.astype(np.float32)
    scores = rows @ centroids.T
    best = scores.argmax(axis=1)
    # A product of matrices adds up differently with what else is in it, and then another of two equals would be best.
    near = scores >= scores.max(axis=1, keepdims=True) - _UNSURE
    for row in np.flatnonzero(near.sum(axis=1) > 1):
        among = np.flatnonzero(near[row])
        exact = (centroids[among].astype(np.float64) * rows[row].astype(np.float64)).sum(axis=1)
        best[row] = among[exact.argmax()]
    found: NDArray[np.int64] = best.astype(np.int64)
    return found
