"""One clustering of one set by another method, as a line of JSON. See README.md for the choices made.

peers.py METHOD SET [--seed S] [--threads N] [--data DIR]
"""

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from importlib import metadata

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
COMPONENTS = 50  # of PCA, for methods that need few dimensions
TEXT_COMPONENTS = 100  # of truncated SVD, for neighbours among sparse texts


def k_means(features, k: int, seed: int):
    """On all features, started once by k-means++."""
    from sklearn.cluster import KMeans

    return KMeans(k, n_init=1, random_state=seed).fit_predict(features)


def reduced(features):
    """At most 50 principal components; covariance and its eigenvectors are exact, and take sparse data."""
    from sklearn.decomposition import PCA

    n_components = min(COMPONENTS, features.shape[1])
    return PCA(n_components, svd_solver="covariance_eigh").fit_transform(features)


def gaussian_mixture(features, k: int, seed: int):
    """Full covariances, started once by k-means. In float64: covariances of float32 may lose positivity."""
    from sklearn.mixture import GaussianMixture

    return GaussianMixture(k, random_state=seed).fit_predict(reduced(features).astype("float64"))


def spectral(features, k: int, seed: int):
    """On the graph of ten nearest neighbours."""
    from scipy.sparse import issparse
    from sklearn.cluster import SpectralClustering
    from sklearn.decomposition import TruncatedSVD
    from sklearn.preprocessing import normalize

    if issparse(features):
        features = normalize(TruncatedSVD(TEXT_COMPONENTS, random_state=seed).fit_transform(features))
    # ARPACK factorises the graph's matrix, which takes minutes to hours for a large one; multigrid doesn't.
    solver = "amg" if features.shape[0] > 10_000 else "arpack"
    model = SpectralClustering(
        k, affinity="nearest_neighbors", n_neighbors=10, eigen_solver=solver, random_state=seed, n_jobs=1
    )
    return model.fit_predict(features)


def hdbscan(features, k: int, seed: int):
    """Clusters of a hundredth of the samples at least; the rest is noise. It knows no K and has no seed."""
    from sklearn.cluster import HDBSCAN

    smallest = max(5, features.shape[0] // 100)
    return HDBSCAN(min_cluster_size=smallest, min_samples=10, copy=False).fit_predict(reduced(features))


def dense(features):
    return features.toarray() if hasattr(features, "toarray") else features


def evoc(features, k: int, seed: int):
    """The layer whose number of clusters is nearest to K, the finer of two."""
    from evoc import EVoC
    from numpy import unique

    model = EVoC(random_state=seed)
    model.fit(dense(features))
    return min(model.cluster_layers_, key=lambda layer: abs(len(unique(layer[layer >= 0])) - k))


def evoc_k(features, k: int, seed: int):
    """Told about how many clusters to find."""
    from evoc import EVoC

    return EVoC(approx_n_clusters=k, random_state=seed).fit_predict(dense(features))


def evoc_own(features, k: int, seed: int):
    """The layer that it chooses itself; it knows no K."""
    from evoc import EVoC

    return EVoC(random_state=seed).fit_predict(dense(features))


NEIGHBOURS = 15  # of Leiden's graph, as of UMAP's
HALVINGS = 14  # of the range of resolutions, in search of K communities


def shared_neighbours(features):
    """Edges between samples of which either is among the other's 15 nearest, and how many neighbours they share (Jaccard)."""
    import numpy as np
    from scipy.sparse import identity
    from sklearn.neighbors import kneighbors_graph

    near = kneighbors_graph(features, NEIGHBOURS, mode="connectivity") + identity(features.shape[0])
    either = (near + near.T).tocoo()
    upper = either.row < either.col
    first, second = either.row[upper], either.col[upper]
    shared = np.asarray(near[first].multiply(near[second]).sum(axis=1)).ravel()
    return first, second, shared / (2 * (NEIGHBOURS + 1) - shared)


def partitions(features, seed: int):
    """Leiden's partition by resolution (Reichardt-Bornholdt), of the graph of shared neighbours."""
    import igraph
    import numpy as np
    from leidenalg import RBConfigurationVertexPartition, find_partition
    from scipy.sparse import issparse
    from sklearn.preprocessing import normalize

    first, second, weights = shared_neighbours(normalize(features) if issparse(features) else features)
    graph = igraph.Graph(n=features.shape[0], edges=np.stack([first, second], axis=1))
    return lambda resolution: find_partition(
        graph, RBConfigurationVertexPartition, weights=weights, resolution_parameter=resolution, seed=seed
    )


def leiden_1(features, k: int, seed: int):
    """At resolution 1; it knows no K."""
    import numpy as np

    return np.array(partitions(features, seed)(1.0).membership)


def leiden(features, k: int, seed: int):
    """The partition whose number of communities is nearest to K, over resolutions."""
    import numpy as np

    at = partitions(features, seed)
    low, high, best = 0.01, 10.0, None
    for _ in range(HALVINGS):
        resolution = (low * high) ** 0.5
        found = at(resolution)
        if best is None or abs(len(found) - k) < abs(len(best) - k):
            best = found
        if len(found) == k:
            break
        low, high = (resolution, high) if len(found) < k else (low, resolution)
    return np.array(best.membership)


def umap(features, seed: int):
    """In ten dimensions and without gaps between near points, as its documentation advises for clustering."""
    from scipy.sparse import issparse
    from umap import UMAP

    metric = "cosine" if issparse(features) else "euclidean"
    return UMAP(n_neighbors=NEIGHBOURS, n_components=10, min_dist=0.0, metric=metric, random_state=seed).fit_transform(features)


def umap_k_means(features, k: int, seed: int):
    """Started ten times."""
    from sklearn.cluster import KMeans

    return KMeans(k, n_init=10, random_state=seed).fit_predict(umap(features, seed))


def umap_gmm(features, k: int, seed: int):
    """Full covariances, the best of five starts."""
    from sklearn.mixture import GaussianMixture

    return GaussianMixture(k, n_init=5, random_state=seed).fit_predict(umap(features, seed).astype("float64"))


def umap_hdbscan(features, k: int, seed: int):
    """As HDBSCAN here; it knows no K."""
    from sklearn.cluster import HDBSCAN

    smallest = max(5, features.shape[0] // 100)
    return HDBSCAN(min_cluster_size=smallest, min_samples=10, copy=False).fit_predict(umap(features, seed))


METHODS: dict[str, Callable] = {
    "k-means": k_means,
    "gmm": gaussian_mixture,
    "spectral": spectral,
    "hdbscan": hdbscan,
    "evoc": evoc,
    "evoc-k": evoc_k,
    "leiden": leiden,
    "umap-k-means": umap_k_means,
    "umap-gmm": umap_gmm,
    "umap-hdbscan": umap_hdbscan,
    "evoc-own": evoc_own,
    "leiden-1": leiden_1,
}


COMPILED = ("evoc", "evoc-k", "evoc-own", "umap-k-means", "umap-gmm", "umap-hdbscan")  # when first called, which is no part of their time
PACKAGES = {"evoc": "evoc", "leiden": "leidenalg", "umap": "umap-learn"}  # the others are of scikit-learn


def compiling(features):
    """Features of the same kind, enough to have every function compiled."""
    from numpy.random import default_rng

    return default_rng(0).standard_normal((1000, features.shape[1])).astype(features.dtype)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", metavar="DIR")
    args = parser.parse_args()
    # Libraries read these when they are imported, so they are not imported before.
    os.environ |= dict.fromkeys(THREADS, str(args.threads))
    warnings.simplefilter("ignore")  # of deprecations in the packages

    from scoring import read_features, read_truth, scores

    from plan import SETS, data_folder

    of, folder = SETS[args.set], data_folder(args.data)
    features = read_features(of, folder)
    if args.method in COMPILED:
        METHODS[args.method](compiling(features), of.k, args.seed)
    start = time.monotonic()
    found = METHODS[args.method](features, of.k, args.seed)
    seconds = time.monotonic() - start
    package = PACKAGES.get(args.method.split("-")[0], "scikit-learn")
    version = f"{package} {metadata.version(package)}"
    print(json.dumps({"version": version, "seconds": round(seconds, 3), **scores(read_truth(of, folder), found)}))


if __name__ == "__main__":
    main()
