"""Encoders that are trained without labels, as transformers."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from consilience import _core, _samples, _validation
from consilience._progress import Progress


class Embedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Train an encoder on a task that the data pose themselves, and embed samples with it.

    Parameters
    ----------
    pretext : {"autoencoder", "contrastive", "masked", "forecast"}, default="autoencoder"
        The task: to give back a sample from a short code; to find the sample of which two views were made; to say what features that are
        hidden are; to say how a series goes on (a row is a series).
    width : int, optional
        Number of features of the embedding. By default 32 to 128, by pretext.
    epochs : int, optional
        Passes over the data. By default 20, and more for few samples.
    preset : {"auto", "image", "text", "embedding", "tabular"}, default="auto"
        What kind of data they are. "auto" looks.
    settings : dict, optional
        Any other settings, as the fields of ``PretextParams`` in Rust: ``{"temperature": 0.2}``.
    n_jobs : int, optional
        Number of threads; `None` and -1: one for each core. It doesn't change the result.
    random_state : int or RandomState, optional
        The seed. `None` is the same as 0: training can always be repeated.
    verbose : int, default=0
        2 tells of epochs.

    Attributes
    ----------
    n_iter_ : int
        Passes over the data.
    loss_ : float
        Mean loss of the last.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,), object
        Their names, if the data had names that are strings.

    See Also
    --------
    Consilience : Clusters of what this makes of samples, or of samples as they are.

    Notes
    -----
    The same data, settings and seed give what ``consilience embed`` gives. Ctrl-C ends ``fit`` and ``transform``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from consilience import Embedder
    >>> X = load_digits().data
    >>> Embedder("autoencoder", width=16, epochs=1).fit_transform(X).shape
    (1797, 16)
    """

    def __init__(
        self,
        pretext: str = "autoencoder",
        *,
        width: int | None = None,
        epochs: int | None = None,
        preset: str = "auto",
        settings: dict[str, Any] | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.pretext = pretext
        self.width = width
        self.epochs = epochs
        self.preset = preset
        self.settings = settings
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def fit(self, X: ArrayLike, y: Any = None) -> Embedder:
        """Train the encoder.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            The samples.
        y : ignored
            There for scikit-learn's sake. Labels are never looked at.

        Returns
        -------
        Embedder
            The transformer itself.

        Raises
        ------
        ValueError
            For settings that can't be, with what is needed.
        """
        settings = dict(self.settings or {})
        for name in ("width", "epochs"):
            said = _validation.maybe_count(name, getattr(self, name), 1)
            if said is not None:
                settings[name] = said
        seed = _validation.seed(self.random_state) or 0
        values = _samples.for_estimator(self, X, reset=True)
        names = getattr(self, "feature_names_in_", None)
        self._encoder, self.n_iter_, self.loss_ = _core.train_encoder(
            values,
            self.pretext,
            self.preset,
            json.dumps(settings),
            seed=seed,
            n_threads=_validation.threads(self.n_jobs),
            feature_names=None if names is None else list(names),
            verbose=_validation.level(self.verbose),
            tell=Progress(),
        )
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Embed samples.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            The samples, with the features of `fit`, in the same order.

        Returns
        -------
        ndarray of shape (n_samples, width), float32
            Their embedding.
        """
        check_is_fitted(self)
        values = _samples.for_estimator(self, X, reset=False)
        return self._encoder.embed(values, _validation.threads(self.n_jobs))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the encoder to a new file, which ``consilience embed --from`` takes.

        Parameters
        ----------
        path : str or path
            The file, which has to be new.
        """
        check_is_fitted(self)
        self._encoder.save(os.fspath(path))

    @property
    def _n_features_out(self) -> int:
        return self._encoder.width
