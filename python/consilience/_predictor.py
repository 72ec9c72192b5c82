"""Clusters of new samples, from a run folder."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from consilience import _core, _samples, _validation


class Predictor:
    """The models of a run, ready for new samples.

    It can be pickled, so that it can be sent to other processes and machines.

    Parameters
    ----------
    path : str or path
        A run folder, of the command line or of :meth:`Consilience.save`.
    n_jobs : int, optional
        Number of threads; `None` and -1: one for each core. It doesn't change the result.

    Attributes
    ----------
    n_features : int
        Number of features that a sample has to have.
    n_clusters : int
        Number of clusters.
    feature_names : list of str or None
        What the features are called, if the run says it.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it is no run folder, is damaged, has no models or was written by a newer version.

    Notes
    -----
    The samples are the features themselves, as numbers. Where the run's data were texts or had columns of words, ``consilience
    predict`` makes features of new files in the same way.

    Examples
    --------
    >>> import pickle, tempfile, pathlib
    >>> from sklearn.datasets import make_blobs
    >>> from consilience import Consilience, Predictor
    >>> X, _ = make_blobs(100, centers=[[-8, -8], [8, 8]], random_state=0)
    >>> model = Consilience(2, n_models=2, max_rounds=1, settings={"candidates": 0, "first": {"min_steps": 50}}).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(pathlib.Path(folder) / "run")
    ...     predictor = Predictor(pathlib.Path(folder) / "run")
    >>> predictor = pickle.loads(pickle.dumps(predictor))
    >>> bool((predictor.predict(X) == model.labels_).all())
    True
    """

    def __init__(self, path: str | os.PathLike[str], *, n_jobs: int | None = None) -> None:
        self._model, _ = _core.load(os.fspath(path))
        self.n_jobs = n_jobs
        self.n_features = self._model.n_features
        self.n_clusters = int(json.loads(self._model.config())["n_clusters"])
        names = json.loads(self._model.file("recipe.json")).get("feature_names")
        self.feature_names: list[str] | None = names

    def __repr__(self) -> str:
        return f"Predictor(n_clusters={self.n_clusters}, n_features={self.n_features})"

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Find the clusters of samples.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        ndarray of shape (n_samples,), int64
            Their clusters.

        Raises
        ------
        ValueError
            For another number of features, or other names.
        """
        return self.predict_with_confidence(X)[0]

    def predict_with_confidence(
        self, X: ArrayLike
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the clusters of samples, and how sure they are.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int64
            Their clusters.
        confidences : ndarray of shape (n_samples,), float32
            How sure they are, 0 to 1.

        Raises
        ------
        ValueError
            For another number of features, or other names.
        """
        self._check_names(X)
        values = _samples.alone(X, "Predictor")
        found = values.shape[1]
        if found != self.n_features:
            raise ValueError(
                f"X has {found} features, but Predictor is expecting {self.n_features} features as input"
            )
        return self._model.predict(values, _validation.threads(self.n_jobs))

    def _check_names(self, X: Any) -> None:
        names = _samples.feature_names(X)
        if names is None or self.feature_names is None or names == self.feature_names:
            return
        missing = [name for name in self.feature_names if name not in names]
        if missing:
            raise ValueError(f"X has no column {missing[0]!r}, which the run's data had")
        raise ValueError(
            "X has the columns of the run's data in another order, or more of them; select them with "
            "X[predictor.feature_names]"
        )
