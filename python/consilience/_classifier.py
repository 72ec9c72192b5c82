"""The classifier: a few labels, and all samples."""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from consilience import _core, _samples, _validation
from consilience._progress import Progress
from consilience._run import Run


class ConsilienceClassifier(Run, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classify samples, with the labels of a few of them to learn from.

    It learns from the labels, and from what :class:`Consilience` learns from: which samples are alike. By default, what networks agree on is
    learnt from, round after round, if labels spread along the neighbour graph, or communities of it, say the same.

    Parameters
    ----------
    method : str or list of str, default="agreement"
        How to learn from samples without labels, one way or several: "agreement", "ladder", "confidence", "consistency", "graph",
        "propagation", or "supervised": not at all.
    tau : float, default=0.95
        With "confidence": the probability above which an answer is learnt from.
    preset : {"auto", "image", "text", "embedding", "tabular", "paper"}, default="auto"
        Which settings to start from. "auto" looks what kind of data they are.
    effort : {"default", "thorough"}, default="default"
        How much work it is worth.
    n_models : int, optional
        Number of networks. The preset has 5 or 8.
    max_rounds : int, optional
        Largest number of rounds of training.
    settings : dict, optional
        Any other settings, nested as in the ``config.toml`` of a run.
    n_jobs : int, optional
        Number of threads; `None` and -1: one for each core. It doesn't change the result.
    random_state : int or RandomState, optional
        The seed. `None` is the same as 0: a run can always be repeated.
    verbose : int, default=0
        1 tells of rounds, in a notebook that has tqdm with a bar for each; 2 of epochs, too.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    transduction_ : ndarray of shape (n_samples,)
        The class of every sample of `fit`. Labels that were given are as they were.
    confidences_ : ndarray of shape (n_samples,), float32
        How probable that class is, 0 to 1.
    label_distributions_ : ndarray of shape (n_samples, n_classes), float32
        How probable each class is.
    pseudo_labels_ : ndarray of shape (n_samples,), int64
        The place in `classes_` of the samples on which the models agree, or whose label was given; -1 for all others.
    metrics_ : dict
        All numbers of the run, as in its ``metrics.json``.
    config_ : dict
        All settings of the run, as in its ``config.toml``.
    n_iter_ : int
        Number of rounds.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,), object
        Their names, if the data had names that are strings.

    See Also
    --------
    Consilience : Clusters, without any label.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_blobs
    >>> from consilience import ConsilienceClassifier
    >>> X, groups = make_blobs(200, centers=[[-8, -8], [0, 8], [8, -8]], random_state=0)
    >>> y = np.full(200, -1)
    >>> for group in range(3):
    ...     y[np.flatnonzero(groups == group)[:2]] = group
    >>> model = ConsilienceClassifier("propagation").fit(X, y)
    >>> model.score(X, groups)
    1.0
    """

    def __init__(
        self,
        method: str | Sequence[str] = "agreement",
        *,
        tau: float = 0.95,
        preset: str = "auto",
        effort: str = "default",
        n_models: int | None = None,
        max_rounds: int | None = None,
        settings: dict[str, Any] | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.method = method
        self.tau = tau
        self.preset = preset
        self.effort = effort
        self.n_models = n_models
        self.max_rounds = max_rounds
        self.settings = settings
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike) -> ConsilienceClassifier:
        """Learn from the labels that there are, and from all samples.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            The samples. It is copied once, and not kept.
        y : array-like of shape (n_samples,)
            Their classes; of samples without one -1, `None` or NaN.

        Returns
        -------
        ConsilienceClassifier
            The estimator itself.

        Raises
        ------
        ValueError
            Without a label, with labels of one class only, and for data and settings that can't be, with what is needed.

        Warns
        -----
        ConvergenceWarning
            If the models agree on no sample of a class but those that were given.
        """
        if y is None:
            raise ValueError(
                "ConsilienceClassifier requires y to be passed, but the target y is None"
            )
        if isinstance(self.effort, str) and self.effort == "quick":
            raise ValueError(
                "effort: need 'default' or 'thorough', got 'quick', which trains no networks; method='propagation' is the quick way"
            )
        values = _samples.for_estimator(self, X, reset=True, min_samples=2)
        if y is not None:
            _validation.as_many("y", y, len(values))
        classes, places = _validation.labels("y", y)
        if len(classes) < 2:
            raise ValueError(
                f"y: labels of one class only, {classes[0]!r}; need labels of two classes at least"
            )
        names = getattr(self, "feature_names_in_", None)
        params = {"min_agree": None, "max_agree": None, "min_confidence": None}
        methods = [self.method] if isinstance(self.method, str) else list(self.method)
        given = {
            **_validation.given(classes, places),
            "methods": [str(method) for method in methods],
            "tau": float(self.tau),
        }
        k = len(classes)
        model, results = _core.fit(
            values,
            (k, k),
            _validation.options({**params, **self.get_params(deep=False)}),
            given=given,
            feature_names=None if names is None else list(names),
            verbose=_validation.level(self.verbose),
            tell=Progress(),
        )
        self._take(model, results)
        self._know(classes)
        if not self.complete_:
            warnings.warn(
                "the models agree on no sample of a class but those whose label was given; every sample has a class nonetheless",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Find the classes of samples, new ones or those of `fit`.

        A sample's answer depends on its features and the model alone: of a sample whose label was given, it is what the models say.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            The samples, with the features of `fit`, in the same order.

        Returns
        -------
        ndarray of shape (n_samples,)
            Their classes.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            For another number of features, or other names.
        """
        check_is_fitted(self, "classes_")
        classes: NDArray[Any] = self.classes_[self._predict(X)[0]]
        return classes

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Find how probable each class is.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float32
            Probabilities, in the order of `classes_`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            For another number of features, or other names.
        """
        check_is_fitted(self, "classes_")
        values = _samples.for_estimator(self, X, reset=False)
        found = self._fitted().probabilities(values, _validation.threads(self.n_jobs))
        assert found is not None, "a classifier's answer is a mean of probabilities"
        return found

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ConsilienceClassifier:
        """Read a run folder, of :meth:`save` or of ``consilience train``.

        Parameters
        ----------
        path : str or path
            The folder.

        Returns
        -------
        ConsilienceClassifier
            A fitted estimator. Its classes are words, or whole numbers if all of them are.

        Raises
        ------
        FileNotFoundError
            If there is no such folder.
        ValueError
            If it is no run folder, is damaged, has learnt from no labels or was written by a newer version.
        """
        estimator = cls()
        params = estimator._read(path)
        few = estimator.config_.get("few_labels")
        if few is None:
            raise ValueError(
                f"{os.fspath(path)}: the run has learnt from no labels; use Consilience.load"
            )
        names = [row["name"] for row in estimator._rows("classes.csv")]
        if len(names) < estimator.n_clusters_:
            raise ValueError(
                f"{os.fspath(path)}: the run has {estimator.n_clusters_} clusters and {len(names)} classes; use Predictor, "
                "which gives clusters"
            )
        estimator.set_params(method=few["methods"], tau=few["tau"], **params)
        estimator._know(_validation.numbers_or_words(names))
        return estimator

    def _know(self, classes: NDArray[Any]) -> None:
        """What the classes are."""
        self.classes_ = classes
        self.transduction_: NDArray[Any] = classes[self.labels_]
        content = self._fitted().file("probabilities.npy")
        self.label_distributions_: NDArray[np.float32] = np.load(io.BytesIO(content))

    def _rows(self, name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self._fitted().file(name).decode())))
