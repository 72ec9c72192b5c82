"""Precision of pseudo-labels by agreement, and of each model's most confident samples, as many of them.

confidence.py RUN_FOLDER SET [--data DIR]

Prints a line of JSON. `ties`: how many samples of a model are as confident as the last of those taken; the
lowest rows of them are.
"""

import argparse
import json
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from scoring import Ids, matched, read_truth

from plan import SETS, data_folder


def most_confident(confidences: NDArray[np.float32], n: int) -> NDArray[np.intp]:
    """Rows of the n largest, the lowest row first where some are equal."""
    return np.argsort(-confidences, kind="stable")[:n]


def precision(truth: Ids, found: Ids, rows: NDArray[np.intp]) -> float:
    """ACC over these samples alone."""
    return matched(truth[rows], found[rows]) / len(rows)


def compare(run: h5py.File, truth: Ids) -> dict:
    """All precisions at the coverage of the run's pseudo-labels."""
    samples, labels = run["pseudo_labels/sample"][:], run["pseudo_labels/label"][:]
    if "rows" in run:  # rows that were left out are in the numbers of samples, and in nothing else
        samples = np.searchsorted(run["rows"][:], samples)
    n = len(samples)
    if n == 0:
        raise SystemExit("the run has no pseudo-labels")
    votes, confidences = run["votes"][:].astype(np.int64), run["confidences"][:]
    chosen = [most_confident(row, n) for row in confidences]
    members = [precision(truth, vote, rows) for vote, rows in zip(votes, chosen, strict=True)]
    ties = [int(np.count_nonzero(row == row[rows[-1]])) for row, rows in zip(confidences, chosen, strict=True)]
    consensus = most_confident(run["assignment_confidences"][:], n)
    return {
        "coverage": n / len(truth),
        "agreement": matched(truth[samples], labels.astype(np.int64)) / n,
        "members": members,
        "members_mean": float(np.mean(members)),
        "ties": ties,
        "consensus": precision(truth, run["assignments"][:].astype(np.int64), consensus),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("set", choices=SETS)
    parser.add_argument("--data", metavar="DIR")
    args = parser.parse_args()
    truth = read_truth(SETS[args.set], data_folder(args.data))
    with h5py.File(args.run / "run.h5") as run:
        print(json.dumps(compare(run, truth)))


if __name__ == "__main__":
    main()
