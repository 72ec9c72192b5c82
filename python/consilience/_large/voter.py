"""The map: from batches of vectors to clusters and signatures, wherever a task runs."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np

from consilience import _core
from consilience._large import vectors as columns_of

# Models that this process has, by the hash of what they are made of: tasks of one job share them.
_MODELS: dict[str, _core.Model] = {}

#: What is done about rows that have no vector that models take.
ON_INVALID = ("fail", "unlabelled")


class Voter:
    """A run's models, to be sent to tasks, as a function from batches to batches.

    It is a pure function of a row: however rows are cut into batches, a row's answer is the same, to the last bit.

    Parameters
    ----------
    model : Model
        The run's.
    vector_column, id_column : str
        Names of columns.
    on_invalid : {"fail", "unlabelled"}
        Whether a row without a usable vector fails the task, or gets no cluster.
    """

    def __init__(
        self, model: _core.Model, vector_column: str, id_column: str, on_invalid: str = "fail"
    ) -> None:
        if on_invalid not in ON_INVALID:
            raise ValueError(f"on_invalid: need 'fail' or 'unlabelled', got {on_invalid!r}")
        self.model = pickle.dumps(model.for_prediction())
        self.digest = hashlib.sha256(self.model).hexdigest()
        self.width = model.n_features
        self.numbers = model.has_numbers()
        self.vector_column, self.id_column = vector_column, id_column
        self.on_invalid = on_invalid

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Answer batches of Arrow, one by one."""
        model = _MODELS.get(self.digest)
        if model is None:
            # One at a time: whoever works through many runs keeps the last.
            _MODELS.clear()
            model = _MODELS[self.digest] = pickle.loads(self.model)
        for batch in batches:
            yield self.answer(model, batch)

    def answer(self, model: _core.Model, batch: Any) -> Any:
        """The answers to a batch: a row for each, with its id."""
        import pyarrow as pa

        column = batch.column(self.vector_column)
        ids = batch.column(self.id_column)
        vectors, rows = columns_of.usable(column, self.width)
        if not rows.all() and self.on_invalid == "fail":
            row = int(np.flatnonzero(~rows)[0])
            problem = columns_of.problem(column, row, self.width)
            raise ValueError(
                f"{self.id_column} {ids[row].as_py()!r}: {self.vector_column} {problem}; mend the row, leave it out, "
                "or have such rows unlabelled (on_invalid='unlabelled', --unlabelled)"
            )
        if ids.null_count:
            row = int(np.flatnonzero(np.asarray(ids.is_null()))[0])
            raise ValueError(
                f"{self.id_column} is missing in row {row} of a batch; every row needs an id"
            )
        if len(vectors):
            # A thread a task: the engine runs as many tasks as there are cores.
            clusters, confidences, lowest, signatures = model.vote(vectors, 1)
        else:
            clusters, confidences, lowest = np.zeros(0, int), np.zeros(0, "f4"), np.zeros(0, "f4")
            signatures = []
        answers = [
            pa.array(clusters, pa.int32()),
            pa.array(confidences, pa.float32()),
            pa.array(lowest, pa.float32()),
            pa.array(signatures, pa.int64() if self.numbers else pa.string()),
        ]
        if not rows.all():
            # Where each row's answer is; nowhere for the others.
            places = pa.array(np.cumsum(rows) - 1, mask=~rows)
            answers = [answer.take(places) for answer in answers]
        return pa.RecordBatch.from_arrays([ids, *answers], [self.id_column, *COLUMNS])


#: What is said of every row, beside its id.
COLUMNS = ("cluster", "confidence", "lowest_confidence", "signature")
