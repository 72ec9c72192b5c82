"""Pseudo-labels from the votes of other clusterers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning

from consilience import _core, _validation


@dataclass(frozen=True, eq=False)
class PseudoLabels:
    """What became of votes.

    Attributes
    ----------
    labels : ndarray of shape (n_samples,), int64
        The consensus: a cluster for every sample that has a vote; -1 for the others.
    confidences : ndarray of shape (n_samples,), float32
        How sure it is, 0 to 1; 0 without votes.
    pseudo_labels : ndarray of shape (n_samples,), int64
        The cluster of the samples on which the models agree; -1 for all others.
    agreement, margin : ndarray of shape (n_samples,), int64
        Models that put the sample with its mini-cluster's anchor, and by how many that is ahead of the next best mini-cluster; 0
        without a pseudo-label.
    complete : bool
        Whether as many mini-clusters were found as asked for.
    diversity : float or None
        Mean adjusted Rand index between two models (1: identical). Agreement is evidence only between models that err differently.
    n_clusters, n_models : int
        How many there are.
    """

    labels: NDArray[np.int64] = field(repr=False)
    confidences: NDArray[np.float32] = field(repr=False)
    pseudo_labels: NDArray[np.int64] = field(repr=False)
    agreement: NDArray[np.int64] = field(repr=False)
    margin: NDArray[np.int64] = field(repr=False)
    complete: bool
    diversity: float | None
    n_clusters: int
    n_models: int

    @property
    def coverage(self) -> float:
        """The share of samples that have a pseudo-label."""
        return float(np.mean(self.pseudo_labels >= 0))


def pseudo_label(
    votes: Any,
    n_clusters: int,
    *,
    confidences: ArrayLike | None = None,
    min_agree: float | str | None = None,
    max_agree: float | str | None = None,
    min_common: float | str | None = None,
    min_confidence: float | None = None,
    consensus: str = "auto",
    must_link: ArrayLike | None = None,
    cannot_link: ArrayLike | None = None,
    n_jobs: int | None = None,
) -> PseudoLabels:
    """Label the samples on which clusterers agree, and find one clustering of all.

    Parameters
    ----------
    votes : list of arrays, dict of arrays, data frame, or ndarray of shape (n_models, n_samples)
        The clusters that each model gives to the samples; in a data frame, a column for each model. Models may number their clusters in
        any way, by whole numbers or strings, and have different numbers of them. A negative number, NaN or None: the model didn't vote.
    n_clusters : int
        Number of clusters of the result, K.
    confidences : array-like of shape (n_models, n_samples), optional
        How sure each vote is, 0 to 1. Without them, all are.
    min_agree : int, float or str, optional
        Models that have to put two samples together for them to be joined: a number (4), a share (0.8) or "80%". By default all.
    max_agree : int, float or str, optional
        Models that may put two samples together at most for them to be kept apart. By default 40 %.
    min_common : int, float or str, optional
        Samples are compared only if so many models voted on both. By default half of all models.
    min_confidence : float, optional
        All models have to be more confident than this of a sample with a pseudo-label. By default 0.8.
    consensus : {"auto", "linkage", "linkage-dawid-skene", "dawid-skene"}, default="auto"
        How the clustering of all samples is found.
    must_link : array-like of shape (n_pairs, 2), optional
        Pairs of samples that are in one cluster, in all that comes out: their places in the votes, counted from 0.
    cannot_link : array-like of shape (n_pairs, 2), optional
        Pairs of samples that are in two clusters.
    n_jobs : int, optional
        Number of threads; `None` and -1: one for each core. It doesn't change the result.

    Returns
    -------
    PseudoLabels
        Pseudo-labels, and the consensus.

    Raises
    ------
    ValueError
        For votes that don't fit together, and for settings that can't be; for pairs that contradict each other, or have to be in more than
        `n_clusters` clusters.

    Warns
    -----
    ConvergenceWarning
        If fewer than `n_clusters` mini-clusters are found.

    Examples
    --------
    Two clusterers agree but for one sample, whose votes differ:

    >>> from consilience import pseudo_label
    >>> found = pseudo_label([[0, 0, 0, 1, 1, 1], ["b", "b", "a", "a", "a", "a"]], 2)
    >>> found.pseudo_labels.tolist()
    [1, 1, -1, 0, 0, 0]
    >>> found.coverage  # doctest: +ELLIPSIS
    0.83...

    Somebody knows that it is like the first:

    >>> pseudo_label([[0, 0, 0, 1, 1, 1], ["b", "b", "a", "a", "a", "a"]], 2, must_link=[[0, 2]]).labels.tolist()
    [0, 0, 0, 1, 1, 1]
    """
    models = _validation.votes(votes)
    k = _validation.count("n_clusters", n_clusters, 1)
    agreement = _validation.agreement(min_agree, max_agree, min_common, min_confidence)
    sure = _sure(confidences, (len(models), len(models[0])))
    found = _core.pseudo_label(
        models,
        k,
        agreement,
        confidences=sure,
        consensus=consensus,
        known=_validation.known(len(models[0]), "votes", must_link, cannot_link),
        n_threads=_validation.threads(n_jobs),
    )
    if not found["complete"]:
        labelled = found["pseudo_labels"]
        n_found = len(np.unique(labelled[labelled >= 0]))
        warnings.warn(
            f"the models agree on only {n_found} of {k} mini-clusters; try fewer clusters, or a lower min_agree",
            ConvergenceWarning,
            stacklevel=2,
        )
    return PseudoLabels(
        labels=found["labels"],
        confidences=found["confidences"],
        pseudo_labels=found["pseudo_labels"],
        agreement=found["agreement"],
        margin=found["margin"],
        complete=found["complete"],
        diversity=found["diversity"],
        n_clusters=k,
        n_models=len(models),
    )


def _sure(confidences: Any, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    if confidences is None:
        return None
    array = np.ascontiguousarray(confidences, dtype=np.float32)
    if array.shape != shape:
        raise ValueError(f"confidences: need shape {shape} as the votes have, got {array.shape}")
    if not np.all((array >= 0) & (array <= 1)):
        raise ValueError("confidences: need numbers from 0 to 1, and none missing")
    return array
