"""The estimator."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.exceptions import ConvergenceWarning

from consilience import _core, _samples, _validation
from consilience._progress import Progress
from consilience._run import Run


class Consilience(Run, ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Cluster samples with an ensemble that votes, and label those on which it agrees.

    Several models are trained independently. Samples that they put together become mini-clusters, one for each cluster: these are the
    pseudo-labels. The models train further on them (by default not on embeddings and text), and in the end every sample gets a
    cluster and a confidence.

    Parameters
    ----------
    n_clusters : int, (int, int) or "auto", default="auto"
        Number of clusters; or the least and the most that there may be; "auto" is as many as there are, up to 100: see `n_clusters_`.
    preset : {"auto", "image", "text", "embedding", "tabular", "paper"}, default="auto"
        Which settings to start from. "auto" looks what kind of data they are.
    effort : {"quick", "default", "thorough"}, default="default"
        How much work it is worth. "quick" trains no networks.
    n_models : int, optional
        Number of networks. The preset has 5 or 8.
    max_rounds : int, optional
        Largest number of rounds of training. With 1, nothing is learnt from pseudo-labels.
    min_agree, max_agree : int, float or str, optional
        How many models have to put two samples together for them to be joined, and how many may at most for them to be kept apart:
        a number of models (4), a share of them (0.8) or either as on the command line ("80%").
    min_confidence : float, optional
        Every model has to be more confident than this of a sample that is to have a pseudo-label.
    views : list of {"autoencoder", "contrastive", "masked", "forecast"}, optional
        Other views of the data, on which there are more voters: what encoders learn from the data in ``fit``, each on a task that they
        pose themselves (see :class:`Embedder`). They are part of the model, and `predict` needs nothing else.
    settings : dict, optional
        Any other settings, nested as in the ``config.toml`` of a run: ``{"network": {"hidden": [500]}}``.
    n_jobs : int, optional
        Number of threads; `None` and -1: one for each core. It doesn't change the result.
    random_state : int or RandomState, optional
        The seed. `None` is the same as 0: a run can always be repeated.
    verbose : int, default=0
        1 tells of rounds, in a notebook that has tqdm with a bar for each; 2 of epochs, too.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,), int64
        The cluster of every sample.
    confidences_ : ndarray of shape (n_samples,), float32
        How sure it is, 0 to 1. What it measures depends on which answer was chosen (``metrics_["chosen"]``).
    pseudo_labels_ : ndarray of shape (n_samples,), int64
        The cluster of the samples on which the models agree; -1 for all others.
    agreement_ : ndarray of shape (n_samples,), int64
        Models that put the sample with its mini-cluster's anchor; 0 without a pseudo-label.
    margin_ : ndarray of shape (n_samples,), int64
        By how many models that is ahead of the next best mini-cluster; 0 without a pseudo-label.
    votes_ : ndarray of shape (n_models, n_samples), int64
        The networks' votes in the last round, each in its own numbering; -1 where there is none.
    n_clusters_ : int
        Number of clusters, given or found. What speaks for it is in ``metrics_["granularity"]``.
    cluster_classes_ : ndarray of shape (n_clusters,), object
        The class of each cluster, where labels of some samples were given; `None` of clusters that no label names.
    complete_ : bool
        Whether every cluster has pseudo-labels.
    n_iter_ : int
        Number of rounds.
    diversity_ : float or None
        Mean adjusted Rand index between two models in the last round (1: identical).
    stop_reason_ : str
        Why there was no further round.
    metrics_ : dict
        All numbers of the run, as in its ``metrics.json``.
    config_ : dict
        All settings of the run, as in its ``config.toml``.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,), object
        Their names, if the data had names that are strings.

    See Also
    --------
    pseudo_label : The same without training, from the votes of other clusterers.
    Predictor : Clusters of new samples, from a run folder.

    Notes
    -----
    Sparse matrices become dense. Numbers of 64 bits become 32-bit floats; where that would lose what tells samples apart, an offset is
    taken off first, as the command line does.

    Ctrl-C ends ``fit`` and ``predict`` within half a second.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from consilience import Consilience
    >>> X, _ = make_blobs(200, centers=[[-8, -8], [0, 8], [8, -8]], random_state=0)
    >>> model = Consilience(3, n_models=2, max_rounds=1, settings={"candidates": 0, "first": {"min_steps": 100}})
    >>> labels = model.fit_predict(X)
    >>> labels.shape
    (200,)
    >>> bool((model.predict(X) == labels).all())
    True
    >>> float(model.confidences_.mean()) > 0.5
    True
    """

    def __init__(
        self,
        n_clusters: int | tuple[int, int] | str = "auto",
        *,
        preset: str = "auto",
        effort: str = "default",
        n_models: int | None = None,
        max_rounds: int | None = None,
        min_agree: float | str | None = None,
        max_agree: float | str | None = None,
        min_confidence: float | None = None,
        views: Sequence[str] | None = None,
        settings: dict[str, Any] | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.preset = preset
        self.effort = effort
        self.n_models = n_models
        self.max_rounds = max_rounds
        self.min_agree = min_agree
        self.max_agree = max_agree
        self.min_confidence = min_confidence
        self.views = views
        self.settings = settings
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        labels_partial: ArrayLike | None = None,
        must_link: ArrayLike | None = None,
        cannot_link: ArrayLike | None = None,
    ) -> Consilience:
        """Find clusters.

        What is known of some samples holds in all that comes out: given labels stay as they are, linked samples are together. `predict` knows
        rows, not samples: it gives what the models say.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            The samples. It is copied once, and not kept.
        y : ignored
            There for scikit-learn's sake. Labels are never looked at.
        labels_partial : array-like of shape (n_samples,), optional
            Labels of some samples, which name clusters: see `cluster_classes_`. -1, `None` or NaN: none. To learn classes from labels, take
            :class:`ConsilienceClassifier`.
        must_link : array-like of shape (n_pairs, 2), optional
            Pairs of samples that are in one cluster: rows of `X`, counted from 0.
        cannot_link : array-like of shape (n_pairs, 2), optional
            Pairs of samples that are in two clusters.

        Returns
        -------
        Consilience
            The estimator itself.

        Raises
        ------
        ValueError
            For data that can't be clustered so, and for settings that can't be, with what is needed; for labels and pairs that contradict each
            other, or have to be in more clusters than there are.

        Warns
        -----
        ConvergenceWarning
            If the models agree on fewer than `n_clusters` mini-clusters.
        UserWarning
            If the data show no structure, clusters don't show some classes of `labels_partial`, or `min_agree` and its like aren't applied to the pseudo-labels that came out.

        Examples
        --------
        >>> from sklearn.datasets import make_blobs
        >>> from consilience import Consilience
        >>> X, groups = make_blobs(200, centers=[[-8, -8], [0, 8], [8, -8]], random_state=0)
        >>> Consilience(effort="quick").fit(X).n_clusters_
        3

        Two samples that look alike, and aren't; and a name for a cluster:

        >>> import numpy as np
        >>> first, second = np.flatnonzero(groups == 0)[:2]
        >>> names = np.full(200, None)
        >>> names[np.flatnonzero(groups == 1)[0]] = "north"
        >>> model = Consilience(3, effort="quick").fit(X, cannot_link=[[first, second]], labels_partial=names)
        >>> bool(model.labels_[first] == model.labels_[second])
        False
        >>> str(model.cluster_classes_[model.labels_[groups == 1][0]])
        'north'
        """
        ks = _validation.clusters(self.n_clusters)
        least = 2 if ks is None else ks[0]
        options = _validation.options(self.get_params(deep=False))
        # One sample can't be told from others.
        values = _samples.for_estimator(self, X, reset=True, min_samples=min(least, 2))
        classes, given = None, None
        if labels_partial is not None:
            _validation.as_many("labels_partial", labels_partial, len(values))
            classes, places = _validation.labels("labels_partial", labels_partial)
            given = _validation.given(classes, places)
        known = _validation.known(len(values), "X", must_link, cannot_link, given)
        if ks == (1, 1):
            if known is not None:
                raise ValueError("n_clusters: need at least 2 where labels or pairs are known, got 1")
            return self._fit_trivially(len(values))
        names = getattr(self, "feature_names_in_", None)
        model, results = _core.fit(
            values,
            ks,
            options,
            known=known,
            feature_names=None if names is None else list(names),
            verbose=_validation.level(self.verbose),
            tell=Progress(),
        )
        self._take(model, results)
        self._name(classes)
        for doubt, category in self._doubts(results["not_shown"]):
            warnings.warn(doubt, category, stacklevel=2)
        return self

    def _doubts(self, not_shown: str | None) -> Iterator[tuple[str, type[Warning]]]:
        """What is to be known before the answer is believed."""
        found = self.metrics_["granularity"]
        if found is not None and found["shown"] == 1:
            yield (
                "the data show no structure: no clusters were found that stay whole. There are as few as `n_clusters` allows, "
                f"{self.n_clusters_}",
                UserWarning,
            )
        if not_shown is not None:
            yield not_shown, UserWarning
        unheeded = [
            name
            for name in ("min_agree", "max_agree", "min_confidence")
            if getattr(self, name) is not None
        ]
        if unheeded and self.metrics_["pseudo_label_rule"] == "backed":
            yield (
                f"{', '.join(unheeded)}: not applied to the pseudo-labels of this run, which are all samples on which most models of "
                "each kind stand behind the answer",
                UserWarning,
            )
        if not self.complete_:
            n_found = len(np.unique(self.pseudo_labels_[self.pseudo_labels_ >= 0]))
            yield (
                f"the models agree on only {n_found} of {self.n_clusters_} mini-clusters; try fewer clusters, or a lower min_agree or "
                "min_confidence. Every sample has a cluster nonetheless",
                ConvergenceWarning,
            )
        far_off = self.metrics_["n_far_off"]
        if far_off:
            samples = "1 sample" if far_off == 1 else f"{far_off} samples"
            yield (
                f"{samples} (the first is {self.metrics_['first_far_off']}) so far out that all others would be one point: scaled "
                "without, and pulled in",
                UserWarning,
            )

    def _name(self, classes: NDArray[Any] | None = None) -> None:
        """Take the classes of clusters; as the run calls them, if they aren't known."""
        self.__dict__.pop("cluster_classes_", None)
        given = self.metrics_.get("given")
        if given is None:
            return
        called = _validation.numbers_or_words(given["classes"]) if classes is None else classes
        self.cluster_classes_ = np.full(self.n_clusters_, None, object)
        self.cluster_classes_[given.get("clusters", range(len(called)))] = called

    def _fit_trivially(self, n_samples: int) -> Consilience:
        # One cluster: there is nothing to train.
        self._model = None
        self.__dict__.pop("cluster_classes_", None)
        self.labels_ = np.zeros(n_samples, np.int64)
        self.confidences_ = np.ones(n_samples, np.float32)
        self.pseudo_labels_ = np.zeros(n_samples, np.int64)
        self.agreement_ = np.zeros(n_samples, np.int64)
        self.margin_ = np.zeros(n_samples, np.int64)
        self.metrics_, self.config_ = {}, {}
        self.n_clusters_ = 1
        self.complete_, self.n_iter_, self.diversity_ = True, 0, None
        self.stop_reason_ = "one_cluster"
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Find the clusters of samples, new ones or those of `fit`.

        A sample's answer depends on the sample and the model alone. The samples of `fit` get the clusters that `fit` gave them.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            The samples, with the features of `fit`, in the same order.

        Returns
        -------
        ndarray of shape (n_samples,), int64
            Their clusters.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            For another number of features, or other names.

        Examples
        --------
        >>> import numpy as np
        >>> from consilience import Consilience
        >>> X = np.repeat([[-5.0, 0.0], [5.0, 1.0]], 30, axis=0) + np.random.default_rng(0).normal(size=(60, 2))
        >>> model = Consilience(2, n_models=2, max_rounds=1, settings={"candidates": 0, "first": {"min_steps": 50}}).fit(X)
        >>> left, right = model.predict([[-5.0, 0.0], [5.0, 1.0]])
        >>> bool(left == right)
        False
        """
        return self._predict(X)[0]

    def cut(self, X: ArrayLike, n_clusters: int) -> Consilience:
        """Cut the run into another number of clusters, without training.

        The models of the run vote on its samples again, and the tree of their votes is cut elsewhere. Its pseudo-labels are the samples
        on which the models of each kind stand behind the new clusters. Pairs that `fit` was given hold in it, too.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            The samples of `fit`.
        n_clusters : int
            Number of clusters, from 2 on.

        Returns
        -------
        Consilience
            Another fitted estimator. This one stays as it is.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            If `X` has another number of samples or features, and for a run that has no tree of votes (its answer is that of k-means), has
            other `views`, learnt from labels, has pairs that have to be in more clusters, has `n_clusters` clusters already, or whose votes don't tell so many kinds of samples apart.

        Examples
        --------
        >>> from sklearn.datasets import make_blobs
        >>> from consilience import Consilience
        >>> X, _ = make_blobs(200, centers=[[-8, -8], [-8, -4], [8, -8], [8, -4]], cluster_std=0.5, random_state=0)
        >>> model = Consilience(4, effort="quick").fit(X)
        >>> two = model.cut(X, 2)
        >>> two.n_clusters_, model.n_clusters_
        (2, 4)
        >>> bool((two.predict(X) == two.labels_).all())
        True
        """
        model = self._fitted()
        values = self._of_fit(X)
        k = _validation.count("n_clusters", n_clusters, 2)
        cut: Consilience = clone(self).set_params(n_clusters=k)
        cut._take(*model.cut(values, k, _validation.threads(self.n_jobs)))
        cut.n_features_in_ = self.n_features_in_
        if hasattr(self, "feature_names_in_"):
            cut.feature_names_in_ = self.feature_names_in_
        return cut

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Consilience:
        """Read a run folder, of :meth:`save` or of the command line.

        Parameters
        ----------
        path : str or path
            The folder.

        Returns
        -------
        Consilience
            A fitted estimator, whose parameters are the run's settings.

        Raises
        ------
        FileNotFoundError
            If there is no such folder.
        ValueError
            If it is no run folder, is damaged, has no models or was written by a newer version.

        Examples
        --------
        >>> from consilience import Consilience
        >>> Consilience.load("runs/nowhere")
        Traceback (most recent call last):
        ...
        FileNotFoundError: runs/nowhere: no such run folder; name one that 'consilience cluster' has written
        """
        estimator = cls()
        params = estimator._read(path)
        estimator.set_params(n_clusters=estimator.n_clusters_, **params)
        estimator._name()
        return estimator
