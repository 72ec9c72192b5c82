# %% [markdown]
# # Three tasks, by ours and by others
#
# Each function is what somebody would write for the task, with each package's own advice and no search for settings; one seed. Cells run
# in a notebook as they are. As a script, every function runs in a process of its own, and the table goes to standard output:
#
#     benches/peers/accuracy/setup.sh                                     # EVoC, UMAP, scikit-learn
#     benches/peers/accuracy/.venv/bin/pip install --no-deps target/wheels/consilience-*.whl
#     benches/peers/accuracy/.venv/bin/python benches/peers/tasks.py
#
# - lines: of the function's body, imports included.
# - first: the seconds of a first call on 600 rows, that is imports and what numba compiles. seconds: those of the call on all rows, by the
#   clock; processor: of all threads.
# - ARI: against the classes, which no function sees. Samples without a cluster (-1) are one more cluster for it; `clustered` is the share
#   of the others.

# %%
from __future__ import annotations

import argparse
import inspect
import json
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(os.environ.get("CONSILIENCE_DATA") or Path(__file__).resolve().parents[3] / "shared/data")

# %% [markdown]
# ## Embeddings, and no number of clusters
#
# Every third of the 18,221 posts of 20 newsgroups as sentence embeddings of 384 numbers: 6,074 rows.


# %%
def embeddings() -> tuple[np.ndarray, np.ndarray]:
    with np.load(DATA / "20newsgroups/20news-minilm384.npz") as file:
        return file["X"][::3].astype(np.float32), file["y"][::3]


def embeddings_ours(X):
    from consilience import Consilience

    return Consilience(random_state=0).fit_predict(X)


def embeddings_ours_quick(X):
    from consilience import Consilience

    return Consilience(effort="quick", random_state=0).fit_predict(X)


def embeddings_evoc(X):
    from evoc import EVoC

    return EVoC(random_state=0).fit_predict(X)


def embeddings_umap_hdbscan(X):
    # As BERTopic does.
    from sklearn.cluster import HDBSCAN
    from umap import UMAP

    view = UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=0).fit_transform(X)
    return HDBSCAN(min_cluster_size=15, copy=True).fit_predict(view)


def embeddings_k_means(X):
    # The number of clusters by the silhouette, as scikit-learn's guide shows.
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    found = [KMeans(k, random_state=0).fit_predict(X) for k in range(5, 41, 5)]
    return max(found, key=lambda labels: silhouette_score(X, labels))


# %% [markdown]
# ## A table, and a number of clusters
#
# Satimage: 6,435 places of a satellite's picture, 36 numbers each, six kinds of ground.


# %%
def table() -> tuple[np.ndarray, np.ndarray]:
    with np.load(DATA / "more/satimage.npz") as file:
        return file["X"].astype(np.float32), file["y"]


def table_ours(X):
    from consilience import Consilience

    return Consilience(6, preset="tabular", random_state=0).fit_predict(X)


def table_ours_quick(X):
    from consilience import Consilience

    return Consilience(6, preset="tabular", effort="quick", random_state=0).fit_predict(X)


def table_evoc(X):
    from evoc import EVoC
    from sklearn.preprocessing import StandardScaler

    return EVoC(approx_n_clusters=6, random_state=0).fit_predict(StandardScaler().fit_transform(X))


def table_hdbscan(X):
    # It takes no number of clusters; the smallest may have a hundredth of the samples.
    from sklearn.cluster import HDBSCAN
    from sklearn.preprocessing import StandardScaler

    return HDBSCAN(min_cluster_size=len(X) // 100, copy=True).fit_predict(StandardScaler().fit_transform(X))


def table_k_means(X):
    from sklearn.cluster import KMeans
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), KMeans(6, n_init=10, random_state=0)).fit_predict(X)


def table_mixture(X):
    from sklearn.mixture import GaussianMixture
    from sklearn.preprocessing import StandardScaler

    return GaussianMixture(6, n_init=5, random_state=0).fit_predict(StandardScaler().fit_transform(X).astype(float))


# %% [markdown]
# ## Twenty labels
#
# 1,797 digits of 64 pixels; two of each kind have a label, the others -1. Clusterers name each cluster by most of its labels. ARI is of the
# samples without a label.


# %%
def labels() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.data, digits.target


def given(y: np.ndarray) -> np.ndarray:
    """Two labels of each class, and -1."""
    known = np.full(len(y), -1)
    for kind in np.unique(y):
        known[np.flatnonzero(y == kind)[:2]] = kind
    return known


def labels_ours(X, y):
    from consilience import ConsilienceClassifier

    return ConsilienceClassifier(random_state=0).fit(X, y).transduction_


def labels_ours_quick(X, y):
    from consilience import ConsilienceClassifier

    return ConsilienceClassifier("propagation", random_state=0).fit(X, y).transduction_


def labels_evoc(X, y):
    from evoc import EVoC

    clusters = EVoC(approx_n_clusters=10, random_state=0).fit_predict(X.astype(np.float32))
    found = np.full(len(y), -1)
    for cluster in range(clusters.max() + 1):
        of_it = y[(clusters == cluster) & (y >= 0)]
        if len(of_it):
            found[clusters == cluster] = np.bincount(of_it).argmax()
    return found


def labels_hdbscan(X, y):
    from sklearn.cluster import HDBSCAN

    clusters = HDBSCAN(min_cluster_size=len(X) // 100, copy=True).fit_predict(X)
    found = np.full(len(y), -1)
    for cluster in range(clusters.max() + 1):
        of_it = y[(clusters == cluster) & (y >= 0)]
        if len(of_it):
            found[clusters == cluster] = np.bincount(of_it).argmax()
    return found


def labels_spreading(X, y):
    from sklearn.semi_supervised import LabelSpreading

    return LabelSpreading(kernel="knn", n_neighbors=7).fit(X, y).transduction_


def labels_self_training(X, y):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.semi_supervised import SelfTrainingClassifier

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return SelfTrainingClassifier(model).fit(X, y).predict(X)


# %% [markdown]
# ## All of them

# %%
NAMES: dict[Callable[..., Any], dict[str, Callable[..., Any]]] = {
    embeddings: {
        "Consilience": embeddings_ours,
        'Consilience, effort="quick"': embeddings_ours_quick,
        "EVoC": embeddings_evoc,
        "UMAP, HDBSCAN": embeddings_umap_hdbscan,
        "scikit-learn: k-means by silhouette": embeddings_k_means,
    },
    table: {
        "Consilience": table_ours,
        'Consilience, effort="quick"': table_ours_quick,
        "EVoC": table_evoc,
        "HDBSCAN": table_hdbscan,
        "scikit-learn: k-means": table_k_means,
        "scikit-learn: Gaussian mixture": table_mixture,
    },
    labels: {
        "ConsilienceClassifier": labels_ours,
        'ConsilienceClassifier("propagation")': labels_ours_quick,
        "EVoC, clusters named": labels_evoc,
        "HDBSCAN, clusters named": labels_hdbscan,
        "scikit-learn: LabelSpreading": labels_spreading,
        "scikit-learn: SelfTrainingClassifier": labels_self_training,
    },
}


def lines(function: Callable[..., Any]) -> int:
    """Lines of code in a function's body."""
    body = inspect.getsource(function).splitlines()[1:]
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in body)


def run(task: str, name: str) -> dict[str, Any]:
    """One method on one task: seconds and scores."""
    from sklearn.metrics import adjusted_rand_score

    warnings.simplefilter("ignore")
    data = next(data for data in NAMES if data.__name__ == task)
    function = NAMES[data][name]
    X, truth = data()
    y = [given(truth)] if data is labels else []
    few = np.random.default_rng(0).permutation(len(X))[:600]
    few = np.union1d(few, np.flatnonzero(y[0] >= 0)) if y else few
    start = time.monotonic()
    function(X[few], *(labels[few] for labels in y))
    first = time.monotonic() - start
    start, cpu = time.monotonic(), time.process_time()
    found = np.asarray(function(X, *y))
    seconds, cpu = time.monotonic() - start, time.process_time() - cpu
    scored = y[0] < 0 if y else np.ones(len(X), bool)
    return {
        "lines": lines(function),
        "first": first,
        "seconds": seconds,
        "cpu": cpu,
        "found": len(set(found[found >= 0].tolist())),
        "clustered": float((found[scored] >= 0).mean()),
        "ari": float(adjusted_rand_score(truth[scored], found[scored])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Three tasks, by ours and by others: a table for each.")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(run(*args.child)))
        return
    packages = ("consilience", "evoc", "umap-learn", "scikit-learn", "numpy")
    versions = ", ".join(f"{package} {metadata.version(package)}" for package in packages)
    print(f"Python {platform.python_version()}, {versions}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start.")
    for data, methods in NAMES.items():
        print(f"\n**{data.__name__}**\n")
        print("| method | lines | first, s | seconds | processor, s | clusters | clustered | ARI |")
        print("| --- | --: | --: | --: | --: | --: | --: | --: |", flush=True)
        for name in methods:
            done = subprocess.run(
                [sys.executable, __file__, "--child", data.__name__, name], capture_output=True, text=True, check=False
            )
            if done.returncode:
                print(f"| {name} | failed: {done.stderr.strip().splitlines()[-1]} |", flush=True)
                continue
            got = json.loads(done.stdout.splitlines()[-1])
            print(
                f"| {name} | {got['lines']} | {got['first']:.1f} | {got['seconds']:.1f} | {got['cpu']:.1f} | {got['found']} "
                f"| {got['clustered']:.3f} | {got['ari']:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
