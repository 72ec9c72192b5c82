"""Scores: of clusters against classes, and of clusters alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from consilience import _core


@dataclass(frozen=True)
class ClassScores:
    """The scores of one class.

    Attributes
    ----------
    name : str
        The class.
    size : int
        Number of its samples.
    cluster : str or None
        The cluster that is matched to it.
    precision, recall : float
        The share of the cluster's samples that are of the class, and of the class's samples that are in the cluster.
    """

    name: str
    size: int
    cluster: str | None
    precision: float
    recall: float


@dataclass(frozen=True)
class Scores:
    """How well clusters fit classes.

    Attributes
    ----------
    acc : float
        The share of samples whose cluster is the one matched to their class, 0 to 1. The matching is one to one and the best there is.
    nmi, ari : float
        Normalised mutual information and the adjusted Rand index, as scikit-learn has them.
    purity : float
        The share of samples that are of their cluster's most frequent class.
    n_samples, n_classes, n_clusters : int
        How many there are.
    per_class : list of ClassScores
        The scores of each class.
    contingency : ndarray of shape (n_classes, n_clusters), int64, or None
        Numbers of samples; `None` where the table would be too large.
    """

    acc: float
    nmi: float
    ari: float
    purity: float
    n_samples: int
    n_classes: int
    n_clusters: int
    per_class: list[ClassScores] = field(repr=False)
    contingency: NDArray[np.int64] | None = field(repr=False, compare=False)


def evaluate(y_true: ArrayLike, y_pred: ArrayLike) -> Scores:
    """Compare clusters with true classes.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        The classes: whole numbers or strings.
    y_pred : array-like of shape (n_samples,)
        The clusters. A negative number is no cluster: such samples count as wrong in ACC and purity.

    Returns
    -------
    Scores
        ACC, NMI, ARI, purity, and scores of each class.

    Raises
    ------
    ValueError
        If the numbers of samples differ, or labels are neither whole numbers nor strings.

    Examples
    --------
    >>> from consilience import evaluate
    >>> scores = evaluate(["cat", "cat", "dog", "dog"], [1, 1, 0, 1])
    >>> scores.acc, scores.per_class[1].recall
    (0.75, 0.5)
    """
    truth, found = _labels("y_true", y_true), _labels("y_pred", y_pred)
    if len(truth) != len(found):
        raise ValueError(
            f"y_true has {len(truth)} labels, y_pred {len(found)}; they have to be of the same samples"
        )
    told, names = _core.evaluate(truth, found)
    scores: dict[str, Any] = json.loads(told)
    per_class = [
        ClassScores(
            name=of_class["class"],
            size=of_class["size"],
            cluster=None if of_class["cluster"] is None else names[of_class["cluster"]],
            precision=of_class["precision"],
            recall=of_class["recall"],
        )
        for of_class in scores["per_class"]
    ]
    table = scores["contingency"]
    numbers = {name: scores[name] for name in ("acc", "nmi", "ari", "purity")}
    return Scores(
        **numbers,
        n_samples=scores["n_samples"],
        n_classes=scores["n_classes"],
        n_clusters=scores["n_clusters"],
        per_class=per_class,
        contingency=None if table is None else np.asarray(table, np.int64),
    )


def _labels(name: str, labels: ArrayLike) -> NDArray[np.int64] | list[str]:
    array = np.asarray(labels)
    if array.ndim != 1:
        raise ValueError(f"{name}: need one label for each sample, got shape {array.shape}")
    if len(array) == 0:
        raise ValueError(f"{name}: no labels")
    if array.dtype.kind in "iub":
        return np.ascontiguousarray(array, np.int64)
    if array.dtype.kind == "f":
        if not np.all(array == np.floor(array)):
            raise ValueError(f"{name}: labels have to be whole numbers or strings")
        return array.astype(np.int64)
    if array.dtype.kind in "OUST":
        values = array.tolist()
        if any(value is None or value != value for value in values):
            raise ValueError(f"{name}: labels are missing")
        return [str(value) for value in values]
    raise ValueError(f"{name}: labels have to be whole numbers or strings, got {array.dtype}")


def confidence_score(estimator: Any, X: ArrayLike, y: Any = None) -> float:
    """Score a fitted :class:`Consilience` by its mean confidence on samples: a scorer that needs no labels.

    It is for searches over settings with the same number of clusters. Over `n_clusters` it says little, as fewer clusters are easier to
    be sure of: look at :func:`k_range` for that.

    Parameters
    ----------
    estimator : Consilience, or a Pipeline that ends with one
        The fitted estimator.
    X : array-like of shape (n_samples, n_features)
        Samples, such as those left out by a search.
    y : ignored
        There for scikit-learn's sake.

    Returns
    -------
    float
        The mean confidence, 0 to 1; more is better.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.model_selection import GridSearchCV
    >>> from consilience import Consilience, confidence_score
    >>> X, _ = make_blobs(120, centers=[[-8, -8], [8, 8]], random_state=0)
    >>> quick = Consilience(2, n_models=2, max_rounds=1, settings={"candidates": 0, "first": {"min_steps": 30}})
    >>> search = GridSearchCV(quick, {"preset": ["tabular", "embedding"]}, scoring=confidence_score, cv=2)
    >>> bool(0.0 <= search.fit(X).best_score_ <= 1.0)
    True
    """
    steps = getattr(estimator, "steps", None)
    if steps is not None:
        for _, step in steps[:-1]:
            X = X if step in (None, "passthrough") else step.transform(X)
        estimator = steps[-1][1]
    return float(np.mean(estimator.predict_confidence(X)))
