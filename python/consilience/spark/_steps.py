"""The steps: predict, count, extract, label."""

from __future__ import annotations

from typing import Any

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
from consilience.spark import _check, _pyspark


def predict(
    df: Any,
    run: Any,
    *,
    vector_column: str = "embedding",
    id_column: str = "id",
    on_invalid: str = "fail",
) -> Any:
    """Find the clusters of a frame's rows, and how the run's models voted.

    Rows are answered where they are, each on its own: however Spark cuts them into batches and whichever task fails and is tried
    again, a row's answer is the same, to the last bit.

    Parameters
    ----------
    df : pyspark.sql.DataFrame
        Rows with an id and a vector, an array of as many numbers as the run's data had features.
    run : str, path, Predictor or fitted estimator
        The run. Its models travel with the tasks.
    vector_column, id_column : str
        Names of columns. Ids are whole numbers or strings, each of one row.
    on_invalid : {"fail", "unlabelled"}, default="fail"
        What is done about rows whose vector is missing, is of another length or has numbers that are missing or not finite: the task
        fails, with the row's id, or they get nulls.

    Returns
    -------
    pyspark.sql.DataFrame
        The id, ``cluster`` (int) and ``confidence`` (float), which are final; ``lowest_confidence`` (float), the lowest of all models,
        and ``signature`` (bigint, or string where all votes don't fit in 63 bits), their votes. Lazy, as Spark's frames are.

    Raises
    ------
    ValueError
        For columns that aren't there or can't be, a frame without rows, and vectors of another length than the run's: before any other task
        starts. It looks at one row.
    FileNotFoundError
        If there is no such run.
    """
    model = model_of(run)
    voter = Voter(model, vector_column, id_column, on_invalid)
    _check.columns(df, vector_column, id_column)
    _check.first_row(df, vector_column, voter.width)
    types = _pyspark.types()
    schema = types.StructType(
        [
            types.StructField(id_column, df.schema[id_column].dataType),
            types.StructField("cluster", types.IntegerType()),
            types.StructField("confidence", types.FloatType()),
            types.StructField("lowest_confidence", types.FloatType()),
            types.StructField(
                "signature", types.LongType() if voter.numbers else types.StringType()
            ),
        ]
    )
    return df.select(id_column, vector_column).mapInArrow(voter, schema)


def signature_counts(predicted: Any, run: Any, *, min_confidence: float | None = None) -> Any:
    """Count the rows that pass the gate, by signature and cluster.

    Parameters
    ----------
    predicted : pyspark.sql.DataFrame
        What :func:`predict` gave, kept somewhere: this reads it.
    run : str, path, Predictor or fitted estimator
        The run.
    min_confidence : float, optional
        The gate: the lowest confidence of a row has to exceed it. The run's own by default.

    Returns
    -------
    pyspark.sql.DataFrame
        ``signature``, ``cluster``, ``count`` and ``first``, the lowest id. What ``consilience pseudo-label RUN --counts`` takes, too.
    """
    F = _pyspark.functions()
    bound = gate_of(model_of(run), min_confidence)
    sure = predicted.where(F.col("lowest_confidence") > F.lit(bound))
    return sure.groupBy("signature", "cluster").agg(
        F.count(F.lit(1)).alias("count"), F.min(predicted.columns[0]).alias("first")
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
    """Find the pseudo-labels, by signature, in the driver.

    Parameters
    ----------
    counts : pyspark.sql.DataFrame
        What :func:`signature_counts` gave.
    run : str, path, Predictor or fitted estimator
        The run.
    min_agree, max_agree, min_common : int, float or str, optional
        As of :func:`consilience.pseudo_label`, in place of the run's.
    min_confidence : float, optional
        The gate that was counted with, if it wasn't the run's.
    max_signatures : int, default=1000000
        Rows of the table that the driver takes.
    n_jobs : int, optional
        Number of threads; `None` and -1: one for each core. It doesn't change the result.

    Returns
    -------
    Labels
        The labels: those that one machine finds in the same rows.

    Raises
    ------
    ValueError
        If no row passes the gate, if there are more signatures than the driver takes, and for settings that can't be.
    """
    model = model_of(run)
    most = _validation.count("max_signatures", max_signatures, 1)
    table = _pyspark.arrow(counts.limit(most + 1))
    if table.num_rows > most:
        bound = gate_of(model, min_confidence)
        raise ValueError(too_many(counts.count(), most, bound))
    settings = {"min_agree": min_agree, "max_agree": max_agree, "min_common": min_common}
    return extracted(table, model, min_confidence, settings, n_jobs)


def label(predicted: Any, labels: Labels) -> Any:
    """Give rows the pseudo-labels of their signatures, by a broadcast join.

    Parameters
    ----------
    predicted : pyspark.sql.DataFrame
        What :func:`predict` gave.
    labels : Labels
        What :func:`extract` found in it.

    Returns
    -------
    pyspark.sql.DataFrame
        The id, ``cluster``, ``confidence``, ``pseudo_label``, ``agreement`` and ``margin``. The last three are null of rows that have no
        pseudo-label: that fail the gate, whose signature has no label, or whose own cluster is another.
    """
    F, types = _pyspark.functions(), _pyspark.types()
    kind = predicted.schema["signature"].dataType
    as_kind = int if isinstance(kind, types.LongType) else str
    rows = [
        (as_kind(signature), *map(int, numbers))
        for signature, *numbers in zip(
            labels.signature, labels.label, labels.agreement, labels.margin
        )
    ]
    names = ("pseudo_label", "agreement", "margin")
    fields = [types.StructField("labelled_signature", kind)]
    fields += [types.StructField(name, types.IntegerType()) for name in names]
    table = predicted.sparkSession.createDataFrame(rows, types.StructType(fields))
    matches = (
        (F.col("signature") == F.col("labelled_signature"))
        & (F.col("cluster") == F.col("pseudo_label"))
        & (F.col("lowest_confidence") > F.lit(labels.min_confidence))
    )
    joined = predicted.join(F.broadcast(table), matches, "left")
    return joined.select(predicted.columns[0], "cluster", "confidence", *names)
