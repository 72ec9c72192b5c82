"""Clusters unlabelled data with an ensemble that votes, and keeps the labels on which it agrees.

The package is a face of the same engine as the command ``consilience``, which comes with it: the same data and seed give the same
bytes.

Examples
--------
>>> from sklearn.datasets import make_blobs
>>> from consilience import Consilience
>>> X, _ = make_blobs(300, centers=[[-8, -8], [0, 8], [8, -8]], random_state=1)
>>> quick = {"candidates": 0, "first": {"min_steps": 50}}  # a moment; leave it out for a real run
>>> model = Consilience(3, n_models=2, max_rounds=1, settings=quick).fit(X)
>>> sorted(int(n) for n in set(model.labels_))
[0, 1, 2]
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from consilience._core import __version__

if TYPE_CHECKING:
    from consilience._classifier import ConsilienceClassifier
    from consilience._embedder import Embedder
    from consilience._estimator import Consilience
    from consilience._k_range import KRow, k_range
    from consilience._predictor import Predictor
    from consilience._report import Report
    from consilience._scores import ClassScores, Scores, confidence_score, evaluate
    from consilience._votes import PseudoLabels, pseudo_label

__all__ = [
    "ClassScores",
    "Consilience",
    "ConsilienceClassifier",
    "Embedder",
    "KRow",
    "Predictor",
    "PseudoLabels",
    "Report",
    "Scores",
    "__version__",
    "confidence_score",
    "evaluate",
    "k_range",
    "pseudo_label",
]

# Which module has which name. It is imported when the name is first asked for: scikit-learn alone takes a second, and the command
# ``consilience``, which comes through here, needs nothing of it.
_MODULES = {
    "ClassScores": "_scores",
    "Consilience": "_estimator",
    "ConsilienceClassifier": "_classifier",
    "Embedder": "_embedder",
    "KRow": "_k_range",
    "Predictor": "_predictor",
    "PseudoLabels": "_votes",
    "Report": "_report",
    "Scores": "_scores",
    "confidence_score": "_scores",
    "evaluate": "_scores",
    "k_range": "_k_range",
    "pseudo_label": "_votes",
}

# Type checkers would take any name for one of ours.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
