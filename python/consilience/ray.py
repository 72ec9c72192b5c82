"""A run's clusters and pseudo-labels for more rows than one machine holds, on Ray Data: as :mod:`consilience.spark`, smaller.

It needs ``ray[data]``, and this package in the Python of the workers.

Examples
--------
>>> from consilience import ray as cr
>>> ds = ray.data.read_parquet("embeddings")  # doctest: +SKIP
>>> cr.predict(ds, "run").write_parquet("votes")  # doctest: +SKIP
>>> votes = ray.data.read_parquet("votes")  # doctest: +SKIP
>>> labels = cr.extract(cr.signature_counts(votes, "run"), "run")  # doctest: +SKIP
>>> cr.label(votes, labels).write_parquet("labels")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience import _validation
from consilience._large.labels import (
    MAX_SIGNATURES,
    Labels,
    extracted,
    gate_of,
    model_of,
    too_many,
)
from consilience._large.voter import Voter

__all__ = ["Labels", "extract", "label", "predict", "signature_counts"]

# Rows of a task's batch: a multiple of the thousands that models take.
_BATCH = 10_000


def predict(
    ds: Any,
    run: Any,
    *,
    vector_column: str = "embedding",
    id_column: str = "id",
    on_invalid: str = "fail",
) -> Any:
    """Find the clusters of a dataset's rows, and how the run's models voted.

    Parameters
    ----------
    ds : ray.data.Dataset
        Rows with an id and a vector.
    run, vector_column, id_column, on_invalid
        As of :func:`consilience.spark.predict`.

    Returns
    -------
    ray.data.Dataset
        The columns of :func:`consilience.spark.predict`. Lazy, as Ray's datasets are.

    Raises
    ------
    ValueError
        For columns that aren't there.
    """
    names = ds.schema().names
    for name in (vector_column, id_column):
        if name not in names:
            raise ValueError(f"no column {name!r}; there are {', '.join(map(repr, names))}")
    voter = Voter(model_of(run), vector_column, id_column, on_invalid)

    def answer(table: Any) -> Any:
        import pyarrow as pa

        return pa.Table.from_batches(list(voter(iter(table.to_batches()))))

    columns = ds.select_columns([id_column, vector_column])
    return columns.map_batches(answer, batch_format="pyarrow", batch_size=_BATCH)


def signature_counts(predicted: Any, run: Any, *, min_confidence: float | None = None) -> Any:
    """Count the rows that pass the gate, by signature and cluster: in each batch, and then here.

    Parameters
    ----------
    predicted, run, min_confidence
        As of :func:`consilience.spark.signature_counts`, with a dataset of Ray's.

    Returns
    -------
    pyarrow.Table
        ``signature``, ``cluster``, ``count`` and ``first``, the lowest id.
    """
    import pyarrow as pa

    bound = np.float32(gate_of(model_of(run), min_confidence))
    id_column = predicted.schema().names[0]

    def count(table: Any) -> Any:
        import pyarrow.compute as pc

        sure = table.filter(pc.greater(table["lowest_confidence"], pa.scalar(bound)))
        ones = pa.array(np.ones(sure.num_rows, np.int64))
        columns = [sure["signature"], sure["cluster"], ones, sure[id_column]]
        return _added(pa.table(dict(zip(("signature", "cluster", "count", "first"), columns))))

    counted = predicted.map_batches(count, batch_format="pyarrow", batch_size=None)
    parts = list(counted.iter_batches(batch_format="pyarrow", batch_size=None))
    return _added(pa.concat_tables(parts, promote_options="permissive"))


def _added(table: Any) -> Any:
    grouped = table.group_by(["signature", "cluster"]).aggregate(
        [("count", "sum"), ("first", "min")]
    )
    return grouped.rename_columns(
        [name.removesuffix("_sum").removesuffix("_min") for name in grouped.column_names]
    )


def extract(
    counts: Any,
    run: Any,
    *,
    min_agree: float | str | None = None,
    max_agree: float | str | None = None,
    min_common: float | str | None = None,
    min_confidence: float | None = None,
    max_signatures: int = MAX_SIGNATURES,
    n_jobs: int | None = None,
) -> Labels:
    """Find the pseudo-labels, by signature, here. Of any table of Arrow's with such columns.

    Parameters
    ----------
    counts : pyarrow.Table
        What :func:`signature_counts` gave.
    run, min_agree, max_agree, min_common, min_confidence, max_signatures, n_jobs
        As of :func:`consilience.spark.extract`.

    Returns
    -------
    Labels
        The labels.

    Raises
    ------
    ValueError
        As :func:`consilience.spark.extract` does.
    """
    model = model_of(run)
    most = _validation.count("max_signatures", max_signatures, 1)
    if counts.num_rows > most:
        raise ValueError(too_many(counts.num_rows, most, gate_of(model, min_confidence)))
    settings = {"min_agree": min_agree, "max_agree": max_agree, "min_common": min_common}
    return extracted(counts, model, min_confidence, settings, n_jobs)


def label(predicted: Any, labels: Labels) -> Any:
    """Give rows the pseudo-labels of their signatures.

    Parameters
    ----------
    predicted : ray.data.Dataset
        What :func:`predict` gave.
    labels : Labels
        What :func:`extract` found in it.

    Returns
    -------
    ray.data.Dataset
        The columns of :func:`consilience.spark.label`.
    """
    evidence = zip(labels.label.tolist(), labels.agreement.tolist(), labels.margin.tolist())
    known = dict(zip(labels.signature, evidence))
    bound, names = labels.min_confidence, ("pseudo_label", "agreement", "margin")

    def give(table: Any) -> Any:
        import pyarrow as pa

        columns = zip(
            *(table[name].to_pylist() for name in ("signature", "cluster", "lowest_confidence"))
        )
        found = [
            known.get(str(signature)) if lowest is not None and lowest > bound else None
            for signature, _, lowest in columns
        ]
        clusters = table["cluster"].to_pylist()
        own = [
            one if one is not None and one[0] == cluster else (None,) * 3
            for one, cluster in zip(found, clusters)
        ]
        given = table.drop_columns(["lowest_confidence", "signature"])
        for place, name in enumerate(names):
            given = given.append_column(name, pa.array([one[place] for one in own], pa.int32()))
        return given

    return predicted.map_batches(give, batch_format="pyarrow", batch_size=_BATCH)
