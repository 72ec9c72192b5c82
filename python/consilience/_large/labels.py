"""Labels from counted signatures, wherever these were counted."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consilience import _core, _validation
from consilience._predictor import Predictor

#: Signatures that a driver can take: 300 bytes each.
MAX_SIGNATURES = 1_000_000
#: Columns of a table of counts.
COUNTS = ("signature", "cluster", "count", "first")


@dataclass(frozen=True, eq=False)
class Labels:
    """The pseudo-labels of a run's clusters, by signature.

    Attributes
    ----------
    signature : list of str
        The signatures that have a label.
    label : ndarray of shape (n_labelled_signatures,), int64
        Their clusters, in the numbering of the run.
    agreement, margin : ndarray of shape (n_labelled_signatures,), int64
        Models that put the signature with its mini-cluster's anchor, and by how many that is ahead of the next best mini-cluster.
    sizes : list of int
        Number of rows with each label, length n_clusters.
    n_rows, n_signatures : int
        Rows that passed the gate, and how many signatures they have.
    min_confidence : float
        The bound that the lowest confidence of a row has to exceed: the gate.
    """

    signature: list[str] = field(repr=False)
    label: NDArray[np.int64] = field(repr=False)
    agreement: NDArray[np.int64] = field(repr=False)
    margin: NDArray[np.int64] = field(repr=False)
    sizes: list[int]
    n_rows: int
    n_signatures: int
    min_confidence: float

    @property
    def n_labelled(self) -> int:
        """Number of rows with a label."""
        return sum(self.sizes)

    @property
    def complete(self) -> bool:
        """Whether every cluster has labels."""
        return 0 not in self.sizes


def model_of(run: Any) -> _core.Model:
    """The model of a run: of its folder, a :class:`Predictor` or a fitted estimator."""
    if isinstance(run, (str, os.PathLike)):
        run = Predictor(run)
    model = getattr(run, "_model", run)
    if not isinstance(model, _core.Model):
        raise ValueError(
            f"run: need a run folder, a Predictor or a fitted estimator, got {type(run).__name__}"
        )
    return model


def gate_of(model: _core.Model, min_confidence: float | None) -> float:
    """The bound of confidence: what is given, else the run's. As a 32-bit float, which confidences are."""
    if min_confidence is None:
        min_confidence = json.loads(model.config())["agreement"]["min_confidence"]
    if not 0.0 <= min_confidence < 1.0:
        raise ValueError(f"min_confidence: need 0 <= min_confidence < 1, got {min_confidence}")
    return float(np.float32(min_confidence))


def too_many(found: int, most: int, bound: float) -> str:
    """Why a table of counts isn't taken."""
    return (
        f"{found:,} signatures of rows whose lowest confidence exceeds {bound:g}, and the driver takes {most:,}; count again "
        "with a higher min_confidence, which leaves hundreds, or give the driver 300 bytes for each and a higher max_signatures"
    )


def extracted(
    table: Any,
    model: _core.Model,
    min_confidence: float | None,
    settings: Mapping[str, Any],
    n_jobs: int | None,
) -> Labels:
    """The labels of a table of Arrow's with the columns :data:`COUNTS`.

    `settings`: of the agreement graph, in place of the run's.
    """
    bound = gate_of(model, min_confidence)
    agreement = _validation.agreement(**settings, min_confidence=bound)
    columns = {name: table.column(name).to_pylist() for name in COUNTS}
    given: _core.Counts = {
        "signature": [str(signature) for signature in columns["signature"]],
        "cluster": columns["cluster"],
        "count": columns["count"],
        "first": [str(first) for first in columns["first"]],
    }
    if not given["signature"]:
        raise ValueError(
            f"no row passes the gate: no lowest confidence exceeds {bound:g}; count again with a lower min_confidence"
        )
    found = model.label_counts(given, agreement, _validation.threads(n_jobs))
    return Labels(
        signature=found["signature"],
        label=found["label"],
        agreement=found["agreement"],
        margin=found["margin"],
        sizes=found["sizes"],
        n_rows=found["n_samples"],
        n_signatures=found["n_signatures"],
        min_confidence=bound,
    )
