"""What estimators have of a run: its answers, its folder, its report."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from consilience import _core, _samples, _validation
from consilience._report import Report


# What of config.toml isn't a setting, or is a parameter of its own.
_NO_SETTINGS = ("version", "preset", "n_clusters", "seed", "run", "few_labels")


class Run:
    """A fitted estimator's run. Mixed into an estimator, which has `n_jobs`."""

    n_jobs: int | None
    n_features_in_: int
    feature_names_in_: NDArray[Any]

    def _take(self, model: _core.Model, results: _core.Results) -> None:
        self._model: _core.Model | None = model
        self.labels_ = results["labels"]
        self.confidences_ = results["confidences"]
        self.pseudo_labels_ = results["pseudo_labels"]
        self.agreement_ = results["agreement"]
        self.margin_ = results["margin"]
        self.metrics_: dict[str, Any] = json.loads(model.file("metrics.json"))
        self.config_: dict[str, Any] = json.loads(model.config())
        rounds = self.metrics_["rounds"]
        self.n_clusters_ = int(self.metrics_["n_clusters"])
        self.complete_ = bool(self.metrics_["complete"])
        self.n_iter_ = len(rounds)
        self.diversity_: float | None = rounds[-1]["diversity"]
        self.stop_reason_ = str(self.metrics_["stop"]["reason"])

    def _read(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """Take a run folder's answers; its settings, for parameters."""
        model, results = _core.load(os.fspath(path))
        self._take(model, results)
        self.n_features_in_ = model.n_features
        names = json.loads(model.file("recipe.json")).get("feature_names")
        if names is not None:
            self.feature_names_in_ = np.asarray(names, dtype=object)
        config = self.config_
        settings = {key: value for key, value in config.items() if key not in _NO_SETTINGS}
        return {"preset": config["preset"], "settings": settings, "random_state": config["seed"]}

    def predict_confidence(self, X: ArrayLike) -> NDArray[np.float32]:
        """Say how sure the clusters of samples are.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        ndarray of shape (n_samples,), float32
            The confidence of what :meth:`predict` gives, 0 to 1. :class:`Consilience` has no ``predict_proba``: not every answer that its run
            can end with has probabilities of all clusters.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.

        Examples
        --------
        >>> import numpy as np
        >>> from consilience import Consilience
        >>> Consilience(1).fit(np.eye(3)).predict_confidence(np.eye(3)).tolist()
        [1.0, 1.0, 1.0]
        """
        return self._predict(X)[1]

    def _predict(self, X: Any) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        check_is_fitted(self, "labels_")
        values = _samples.for_estimator(self, X, reset=False)
        if self._model is None:
            return np.zeros(len(values), np.int64), np.ones(len(values), np.float32)
        return self._model.predict(values, _validation.threads(self.n_jobs))

    @property
    def votes_(self) -> NDArray[np.int64]:
        """The networks' votes in the last round; see the class."""
        model = self._fitted()
        with np.load(io.BytesIO(model.file("votes.npz"))) as arrays:
            votes: NDArray[np.int64] = arrays["votes"].astype(np.int64)
        votes[votes == np.iinfo(np.uint16).max] = -1
        return votes

    def save(
        self,
        path: str | os.PathLike[str],
        X: ArrayLike | None = None,
        *,
        data: str | Sequence[str] | None = None,
    ) -> None:
        """Write a run folder, as ``consilience cluster`` does: its files are the same, byte for byte.

        Every command takes it: ``consilience predict``, ``export``, ``report``, ``evaluate``. Without HDF5 there is no ``run.h5``.

        Parameters
        ----------
        path : str or path
            The folder. It must not exist, or be empty.
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features), optional
            The samples of `fit`. With them, the folder has a ``report.html``.
        data : str or list of str, optional
            The files that the samples came from, for ``config.toml``: the commands then find them.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            If there is something at `path`.
        OSError
            If it can't be written.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> from sklearn.datasets import make_blobs
        >>> from consilience import Consilience
        >>> X, _ = make_blobs(100, centers=[[-8, -8], [8, 8]], random_state=0)
        >>> model = Consilience(2, n_models=2, max_rounds=1, settings={"candidates": 0, "first": {"min_steps": 50}}).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(pathlib.Path(folder) / "run")
        ...     again = Consilience.load(pathlib.Path(folder) / "run")
        >>> bool((again.labels_ == model.labels_).all())
        True
        """
        model = self._fitted()
        values = None if X is None else self._of_fit(X)
        names = [data] if isinstance(data, str) else data
        model.save(os.fspath(path), values, None if names is None else list(names))

    def suggest(self, X: ArrayLike, n: int = 20) -> NDArray[np.int64]:
        """Name the samples whose labels would tell most, to be asked for next.

        They are those of which models of different kinds disagree, spread over clusters, and none like another, or like one whose label was
        given.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            The samples of `fit`.
        n : int, default=20
            How many; there are fewer if all others are like these.

        Returns
        -------
        ndarray of shape (n,), int64
            Their rows in `X`, the most telling first.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            If `X` has another number of samples or features.

        Examples
        --------
        >>> from sklearn.datasets import make_blobs
        >>> from consilience import Consilience
        >>> X, _ = make_blobs(200, centers=[[-8, -8], [0, 8], [8, -8]], random_state=0)
        >>> model = Consilience(3, effort="quick").fit(X)
        >>> sorted(int(label) for label in model.labels_[model.suggest(X, 3)])
        [0, 1, 2]
        """
        model = self._fitted()
        values = self._of_fit(X)
        count = _validation.count("n", n, 1)
        return model.suggest(values, count, _validation.threads(self.n_jobs))

    def report(self, X: ArrayLike | None = None) -> Report:
        """Say what came out: a summary in a notebook, a page to save.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features), optional
            The samples of `fit`. With them, the page shows what is in each cluster, and a map.

        Returns
        -------
        Report
            The page, as ``consilience report`` writes it. A notebook shows a short summary of it.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.

        Examples
        --------
        >>> from sklearn.datasets import make_blobs
        >>> from consilience import Consilience
        >>> X, _ = make_blobs(100, centers=[[-8, -8], [8, 8]], random_state=0)
        >>> model = Consilience(2, n_models=2, max_rounds=1, settings={"candidates": 0, "first": {"min_steps": 50}}).fit(X)
        >>> print(model.report())  # doctest: +ELLIPSIS
        100 samples x 2 features, 2 clusters
        ...
        """
        model = self._fitted()
        values = None if X is None else self._of_fit(X)
        return Report(model, values, self.metrics_, self.labels_)

    def _of_fit(self, X: Any) -> NDArray[Any]:
        """The samples of `fit`, given again."""
        values = _samples.for_estimator(self, X, reset=False)
        if len(values) != len(self.labels_):
            raise ValueError(
                f"X has {len(values):,} samples, and the run was of {len(self.labels_):,}; give the X of fit"
            )
        return values

    def _fitted(self) -> _core.Model:
        check_is_fitted(self, "labels_")
        if self._model is None:
            raise ValueError("there is no run of one cluster; fit with n_clusters of 2 or more")
        return self._model

