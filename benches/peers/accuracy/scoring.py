"""Data, and the one function that scores every peer."""

import csv
import gzip
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "accuracy"))
from plan import DataSet, require  # noqa: E402

Ids = NDArray[np.integer]
NOISE = -1


def read_idx(path: Path) -> NDArray[np.uint8]:
    """An array of bytes in IDX: the fourth byte is the number of dimensions, then come sizes, big-endian."""
    content = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(content, ">u4", count=content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(tuple(map(int, shape)))


def read_table(of: DataSet, file: Path) -> tuple[NDArray[np.float64], list[str]]:
    """Numbers and classes of the rows in which no number is missing."""
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    numbers = [name for name in rows[0] if name not in (*of.ignored, of.truth)]
    complete = [row for row in rows if all(row[name] not in ("", "NA") for name in numbers)]
    return np.array([[float(row[name]) for name in numbers] for row in complete]), [row[of.truth] for row in complete]


def read_features(of: DataSet, folder: Path | None) -> NDArray[np.float32] | sparse.csr_matrix:
    """Shape (n_samples, n_features): pixels from 0 to 1, tables standardised, TF-IDF and embeddings as they are."""
    files = of.files(folder)
    if files[0].suffix == ".gz":
        images = np.concatenate([read_idx(path) for path in files])
        features = images.reshape(len(images), -1).astype(np.float32)
    elif files[0].suffix == ".csv":
        features, _ = read_table(of, files[0])
        return ((features - features.mean(axis=0)) / features.std(axis=0)).astype(np.float32)
    elif of.sparse_text:
        return sparse.csr_matrix(sparse.load_npz(files[0]), dtype=np.float32)
    else:
        features = np.load(files[0])["X"].astype(np.float32)
    return features / np.float32(of.divisor)


def read_truth(of: DataSet, folder: Path | None) -> Ids:
    """Class of every sample, in the order of the features."""
    if of.labels:
        return np.concatenate([read_idx(require(folder) / name) for name in of.labels]).astype(np.int64)
    file = of.files(folder)[0]
    if file.suffix == ".csv":
        return np.unique(read_table(of, file)[1], return_inverse=True)[1]
    return np.load(file)[of.truth].astype(np.int64)


def matched(truth: Ids, found: Ids) -> int:
    """How many samples are in the cluster matched to their class, one to one (Hungarian); noise is in none.

    Clusters beyond the number of classes, or classes beyond the number of clusters, have no partner.
    """
    covered = found != NOISE
    if not covered.any():
        return 0
    classes, rows = np.unique(truth[covered], return_inverse=True)
    clusters, columns = np.unique(found[covered], return_inverse=True)
    counts = np.zeros((len(classes), len(clusters)), np.int64)
    np.add.at(counts, (rows, columns), 1)
    return int(counts[linear_sum_assignment(counts, maximize=True)].sum())


def scores(truth: Ids, found: Ids) -> dict[str, float | int | None]:
    """ACC with samples left out counted as wrong, and of the others alone; NMI and ARI with them as a cluster."""
    n_covered = int(np.count_nonzero(found != NOISE))
    right = matched(truth, found)
    return {
        "acc": right / len(truth),
        "acc_covered": right / n_covered if n_covered else None,
        "nmi": float(normalized_mutual_info_score(truth, found)),
        "ari": float(adjusted_rand_score(truth, found)),
        "coverage": n_covered / len(truth),
        "n_clusters": int(len(np.unique(found[found != NOISE]))),
    }
