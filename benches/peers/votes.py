"""Votes with known truth, and scores against it.

votes.py make TRUTH.npy VOTES.npy --n N --k K --models M --noise SHARE [--own-k] --seed S
votes.py score TRUTH.npy FOUND      FOUND: ids (.npy), or a run folder of consilience, for its pseudo-labels
votes.py same FOUND FOUND
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Ids = NDArray[np.int32]
UNLABELLED = -1


def make(n: int, k: int, models: int, noise: float, own_k: bool, seed: int) -> tuple[Ids, Ids]:
    """Truth, shape (n_samples), clusters of equal size, and votes, shape (n_models, n_samples).

    Each model renames the clusters; a share `noise` of its votes are ids at random. With `own_k` each
    model has 5 to 20 clusters of its own: true ones merged, or split at random.
    """
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(n, dtype=np.int32) % k)
    votes = np.empty((models, n), np.int32)
    for vote in votes:
        n_ids = int(rng.integers(5, 20, endpoint=True)) if own_k else k
        vote[:] = rng.permutation(n_ids)[merged_or_split(rng, truth, k, n_ids)]
        noisy = np.flatnonzero(rng.random(n) < noise)
        vote[noisy] = rng.integers(0, n_ids, len(noisy))
    return truth, votes


def merged_or_split(rng: np.random.Generator, truth: Ids, k: int, n_ids: int) -> Ids:
    """Ids with `n_ids` values: each is a true cluster, several of them, or a part of one."""
    if n_ids <= k:  # the first n_ids clusters have an id each, the others join any of them
        joined = np.append(np.arange(n_ids), rng.integers(0, n_ids, k - n_ids))
        return rng.permutation(joined)[truth]
    cluster_of = np.append(np.arange(k), rng.integers(0, k, n_ids - k))
    found = np.empty_like(truth)
    for cluster in range(k):
        samples = np.flatnonzero(truth == cluster)
        found[samples] = rng.choice(np.flatnonzero(cluster_of == cluster), len(samples))
    return found


def score(truth: Ids, found: Ids) -> dict[str, float]:
    """ACC (one-to-one Hungarian matching) on the labelled samples, and what share of all they are."""
    labelled = found != UNLABELLED
    clusters, ids = np.unique(found[labelled], return_inverse=True)
    n_classes = int(truth.max()) + 1
    cells = ids * n_classes + truth[labelled]
    table = np.bincount(cells, minlength=len(clusters) * n_classes).reshape(-1, n_classes)
    right = table[linear_sum_assignment(table, maximize=True)].sum()
    return {
        "acc": float(right / max(len(ids), 1)),
        "coverage": float(labelled.mean()),
        "clusters": len(clusters),
    }


def same(a: Ids, b: Ids) -> bool:
    """Whether two labellings leave out the same samples and agree on the others, but for the names of ids."""
    pairs = np.unique(np.stack([a, b]), axis=1)
    left_out = pairs == UNLABELLED
    one_to_one = all(len(np.unique(side)) == pairs.shape[1] for side in pairs)
    return one_to_one and bool((left_out[0] == left_out[1]).all())


def read(found: Path) -> Ids:
    """Ids from a file; from a run folder of consilience, its pseudo-labels."""
    if found.is_file():
        return np.load(found)
    ids = np.full(np.load(found / "assignments.npy", mmap_mode="r").shape, UNLABELLED, np.int32)
    with np.load(found / "pseudo_labels.npz") as columns:
        ids[columns["sample"]] = columns["label"]
    return ids


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["make", "score", "same"])
    parser.add_argument("files", type=Path, nargs=2)
    parser.add_argument("--n", type=int)
    parser.add_argument("--k", type=int)
    parser.add_argument("--models", type=int)
    parser.add_argument("--noise", type=float)
    parser.add_argument("--own-k", action="store_true")
    parser.add_argument("--seed", type=int)
    args = parser.parse_args()
    if args.action == "make":
        truth, votes = make(args.n, args.k, args.models, args.noise, args.own_k, args.seed)
        np.save(args.files[0], truth)
        np.save(args.files[1], votes)
    else:
        compare = score if args.action == "score" else same
        print(json.dumps(compare(*map(read, args.files))))


if __name__ == "__main__":
    main()
