"""One method on one file of votes, as a process of its own.

methods.py METHOD VOTES.npy FOUND.npy K MIN_AGREE MAX_AGREE
"""

import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]


def agreement_step(votes: Ids, k: int, min_agree: int, max_agree: int) -> Ids:
    """Kingdra's step (Gupta et al., ICLR 2020) on the n x n agreement matrix, without its confidence gate.

    K times: the node with the most strong positive edges and its strong positive neighbours are a
    mini-cluster; only nodes that are strongly negative to all of it are left. Others get -1.
    """
    n = votes.shape[1]
    agree = np.zeros((n, n), np.uint8)
    for vote in votes:
        agree += vote[:, None] == vote
    positive, negative = agree >= min_agree, agree <= max_agree
    labels = np.full(n, -1, np.int32)
    left = np.arange(n)
    degree = np.count_nonzero(positive, axis=1)
    for cluster in range(k):
        if len(left) == 0:
            break
        centre = left[degree[left].argmax()]
        members = left[positive[centre, left]]
        labels[members] = cluster
        keep = negative[members].all(axis=0)[left]
        degree -= np.count_nonzero(positive[left[~keep]], axis=0)
        left = left[keep]
    return labels


def cluster_ensembles(solver: str, votes: Ids, k: int) -> Ids:
    """A solver of the package ClusterEnsembles."""
    import ClusterEnsembles
    import kahypar

    load = kahypar.Context.loadINIconfiguration

    def load_completed(context: kahypar.Context, path: str) -> None:
        # The package's own file is of KaHyPar 1.1; KaHyPar 1.3 ends the process where these are missing.
        with tempfile.NamedTemporaryFile("w", suffix=".ini") as completed:
            completed.write(Path(path).read_text())
            completed.write("\ni-bp-algorithm=worst_fit\ni-bp-heuristic-prepacking=false\n")
            completed.write("i-bp-early-restart=true\ni-bp-late-restart=true\n")
            completed.flush()
            load(context, completed.name)

    kahypar.Context.loadINIconfiguration = load_completed
    return ClusterEnsembles.cluster_ensembles(votes, nclass=k, solver=solver, random_state=0)


def main() -> None:
    warnings.simplefilter("ignore")  # of deprecations in the packages
    method, source, target, k, min_agree, max_agree = sys.argv[1:]
    votes = np.load(source)
    if method == "agreement":
        found = agreement_step(votes, int(k), int(min_agree), int(max_agree))
    else:
        found = cluster_ensembles(method, votes, int(k))
    np.save(target, found.astype(np.int32))


if __name__ == "__main__":
    main()
