"""A help to choose the number of clusters."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from numpy.typing import ArrayLike

from consilience import _core, _samples, _validation
from consilience._progress import Progress


class KRow(NamedTuple):
    """What one number of clusters gives.

    Attributes
    ----------
    k : int
        The number of clusters asked for.
    n_found : int
        Mini-clusters that were found, at most `k`.
    coverage : float
        The share of samples in them, 0 to 1.
    smallest : int
        Number of samples in the smallest of them.
    mean_margin : float
        Mean number of models by which a sample's own mini-cluster is ahead of the next best.
    n_voters : int
        Models that have `k` clusters.
    unambiguous : float or None
        The share of pairs of samples on which at most a tenth of these models differ from the others.
    ari : float or None
        Mean adjusted Rand index between two of these models.
    """

    k: int
    n_found: int
    coverage: float
    smallest: int
    mean_margin: float
    n_voters: int
    unambiguous: float | None
    ari: float | None


def k_range(
    X: ArrayLike | None = None,
    ks: Iterable[int] = range(2, 11),
    *,
    votes: Any = None,
    preset: str = "auto",
    n_models: int | None = None,
    max_rounds: int | None = None,
    min_agree: float | str | None = None,
    max_agree: float | str | None = None,
    min_confidence: float | None = None,
    settings: dict[str, Any] | None = None,
    n_jobs: int | None = None,
    random_state: Any = None,
    verbose: int = 0,
) -> list[KRow]:
    """Say what each of several numbers of clusters would give, without labels.

    No column decides alone. If the smallest mini-cluster is tiny, or fewer than `k` are found, `k` is probably too large.

    Parameters
    ----------
    X : array-like, data frame or sparse matrix of shape (n_samples, n_features), optional
        Samples: a run of one round for each number.
    ks : range or list of int, default=range(2, 11)
        Numbers from 2 on, without gaps.
    votes : list of arrays, dict of arrays, data frame, or ndarray of shape (n_models, n_samples), optional
        In place of `X`, votes as :func:`pseudo_label` takes them. Nothing is trained.
    preset, n_models, max_rounds, min_agree, max_agree, min_confidence, settings, n_jobs, random_state, verbose
        As in :class:`Consilience`.

    Returns
    -------
    list of KRow
        A row for each number; ``pandas.DataFrame(rows)`` shows them as a table.

    Raises
    ------
    ValueError
        If neither samples nor votes are given or both are, and for numbers that can't be.

    Examples
    --------
    >>> from consilience import k_range
    >>> rows = k_range(votes=[[0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2]], ks=range(2, 4))
    >>> [(row.k, row.n_found) for row in rows]
    [(2, 2), (3, 3)]
    """
    first, last = _ends(ks)
    if (X is None) == (votes is None):
        raise ValueError("give either samples (X) or votes")
    if votes is not None:
        told = _core.k_range_of_votes(
            _validation.votes(votes),
            first,
            last,
            _validation.agreement(min_agree, max_agree, None, min_confidence),
            _validation.threads(n_jobs),
        )
        return [KRow(**row) for row in json.loads(told)]
    params = {
        "preset": preset,
        "effort": "default",
        "n_models": n_models,
        "max_rounds": max_rounds,
        "min_agree": min_agree,
        "max_agree": max_agree,
        "min_confidence": min_confidence,
        "settings": settings,
        "n_jobs": n_jobs,
        "random_state": random_state,
    }
    options = _validation.options(params)
    told = _core.k_range(
        _samples.alone(X, "k_range"),
        first,
        last,
        options,
        feature_names=_samples.feature_names(X),
        verbose=_validation.level(verbose),
        tell=Progress(),
    )
    return [KRow(**row) for row in json.loads(told)]


def _ends(ks: Iterable[int]) -> tuple[int, int]:
    numbers = list(ks)
    if (
        not numbers
        or numbers != list(range(numbers[0], numbers[0] + len(numbers)))
        or numbers[0] < 2
    ):
        raise ValueError(
            f"ks: need numbers from 2 on without gaps, such as range(2, 11), got {ks!r}"
        )
    return int(numbers[0]), int(numbers[-1])
