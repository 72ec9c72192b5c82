"""Writes scores.json: the scores of labellings by scikit-learn and scipy, for tests/scores.rs.

    python3 -m venv VENV && VENV/bin/pip install 'scikit-learn>=1.3,<2' scipy numpy
    VENV/bin/python tests/reference/scores.py

Seeds are fixed: the same versions write the same bytes.
"""

import json
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix


def score(name, truth, found):
    truth, found = np.asarray(truth), np.asarray(found)
    table = contingency_matrix(truth, found)
    return {
        "name": name,
        "truth": truth.tolist(),
        "found": found.tolist(),
        "n_classes": table.shape[0],
        "n_clusters": table.shape[1],
        "acc": float(table[linear_sum_assignment(table, maximize=True)].sum() / len(truth)),
        "nmi": float(normalized_mutual_info_score(truth, found)),
        "ari": float(adjusted_rand_score(truth, found)),
        "purity": float(table.max(axis=0).sum() / len(truth)),
    }


def disturbed(rng, truth, share, n_clusters):
    """`truth` under a random renaming, with a share of the samples put anywhere."""
    found = rng.permutation(n_clusters)[truth]
    moved = rng.random(len(truth)) < share
    found[moved] = rng.integers(0, n_clusters, moved.sum())
    return found


def cases():
    rng = np.random.default_rng(1955)
    ten = rng.integers(0, 10, 400)
    yield "random", ten, rng.integers(0, 10, 400)
    yield "equal", ten, ten
    yield "permuted", ten, rng.permutation(10)[ten]
    yield "noisy", ten, disturbed(rng, ten, 0.3, 10)
    yield "one cluster", ten, np.zeros_like(ten)
    yield "one class", np.zeros_like(ten), ten
    yield "one cluster, one class", np.zeros(30, int), np.zeros(30, int)
    yield "more clusters than classes", ten, 3 * disturbed(rng, ten, 0.1, 10) + rng.integers(0, 3, 400)
    yield "fewer clusters than classes", ten, disturbed(rng, ten, 0.1, 10) // 3
    yield "single samples as clusters", ten[:40], rng.permutation(40)
    yield "single samples as clusters and classes", np.arange(25), rng.permutation(25)
    unequal = rng.choice(6, 600, p=[0.6, 0.2, 0.1, 0.06, 0.03, 0.01])
    yield "unequal sizes", unequal, disturbed(rng, unequal, 0.25, 6)
    # The best cluster of each class alone is no matching: the largest entry is left out.
    yield "greedy matching fails", [0] * 19 + [1] * 9, [0] * 10 + [1] * 9 + [0] * 9
    yield "ids with gaps", np.array([-7, 0, 3, 100])[ten % 4], np.array([2, 5, 11, 40])[disturbed(rng, ten % 4, 0.2, 4)]
    yield "independent", np.repeat(np.arange(4), 4), np.tile(np.arange(4), 4)
    yield "worse than chance", [0, 0, 1, 1], [0, 1, 0, 1]
    yield "one sample", [3], [1]
    yield "two samples, together", [0, 0], [1, 1]
    yield "two samples, apart", [0, 1], [1, 0]
    yield "two samples, merged", [0, 1], [0, 0]
    yield "one sample apart from many", np.zeros(999, int), np.eye(999, dtype=int)[0]
    large = rng.choice(20, 5000, p=np.arange(1, 21) / 210)
    yield "large", large, disturbed(rng, large, 0.4, 23)


def main():
    lines = ",\n".join(json.dumps(score(*case), separators=(",", ":")) for case in cases())
    versions = json.dumps({"scikit-learn": sklearn.__version__, "scipy": scipy.__version__})
    path = Path(__file__).with_suffix(".json")
    path.write_text(f'{{"versions":{versions},"cases":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
