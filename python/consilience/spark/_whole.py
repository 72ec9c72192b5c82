"""All of it, from a table of vectors to a table of clusters and pseudo-labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from consilience.spark import _check, _pyspark
from consilience._large.labels import MAX_SIGNATURES, Labels, gate_of, model_of
from consilience.spark._steps import extract, label, predict, signature_counts
from consilience._large.voter import ON_INVALID


@dataclass(frozen=True)
class Summary:
    """What came out.

    Attributes
    ----------
    n_rows : int
        Number of rows.
    n_unlabelled : int
        Of these, rows without a usable vector, which have no cluster.
    labels : Labels
        The pseudo-labels, by signature.
    """

    n_rows: int
    n_unlabelled: int
    labels: Labels

    def __str__(self) -> str:
        labels = self.labels
        share = 100 * labels.n_labelled / self.n_rows
        lines = [f"{self.n_rows:,} rows, K = {len(labels.sizes)}"]
        lines.append(f"  pseudo-labels  {labels.n_labelled:,} ({share:.1f} %)")
        lines.append(f"  label sizes    {', '.join(f'{size:,}' for size in labels.sizes[:20])}")
        lines.append(
            f"  sure           {labels.n_rows:,} rows with {labels.n_signatures:,} signatures"
        )
        if self.n_unlabelled:
            lines.append(f"  unlabelled     {self.n_unlabelled:,} rows without a usable vector")
        if not labels.complete:
            lines.append(
                "  Incomplete: some clusters have no pseudo-labels; try a lower min_agree or min_confidence"
            )
        return "\n".join(lines)


def label_all(
    df: Any,
    run: Any,
    out: str,
    *,
    vector_column: str = "embedding",
    id_column: str = "id",
    on_invalid: str = "fail",
    check_ids: bool = True,
    min_agree: float | str | None = None,
    max_agree: float | str | None = None,
    min_common: float | str | None = None,
    min_confidence: float | None = None,
    max_signatures: int = MAX_SIGNATURES,
    tell: Callable[[str], None] = lambda line: None,
) -> Summary:
    """Find clusters and pseudo-labels of a frame's rows, and write them.

    What is written, as Parquet: ``out/votes``, what :func:`predict` gives; ``out/counts``, what :func:`signature_counts` gives; and
    ``out/labels``, what :func:`label` gives. Another strictness needs nothing but ``out/votes``.

    Parameters
    ----------
    df : pyspark.sql.DataFrame
        Rows with an id and a vector.
    run : str, path, Predictor or fitted estimator
        The run, of a sample of such rows.
    out : str
        Where tables go: a folder, or an address that Spark writes to. There must be no such tables.
    vector_column, id_column, on_invalid : str
        As of :func:`predict`.
    check_ids : bool, default=True
        Whether to look for ids that name several rows, which takes a shuffle of all ids.
    min_agree, max_agree, min_common, min_confidence, max_signatures
        As of :func:`extract`.
    tell : callable, optional
        Is given a line about each step.

    Returns
    -------
    Summary
        What came out.

    Raises
    ------
    ValueError
        For what can't be, before predictions start wherever it can be known by then.
    """
    F = _pyspark.functions()
    run = model_of(run)
    bound = gate_of(run, min_confidence)
    if on_invalid not in ON_INVALID:
        raise ValueError(f"on_invalid: need 'fail' or 'unlabelled', got {on_invalid!r}")
    spark = df.sparkSession
    out = str(out).rstrip("/")
    for name in ("votes", "counts", "labels"):
        if _exists(spark, f"{out}/{name}"):
            raise ValueError(f"{out}/{name} exists already; name another place, or remove it")
    predicted = predict(
        df, run, vector_column=vector_column, id_column=id_column, on_invalid=on_invalid
    )
    if check_ids:
        tell("looking for ids that name several rows")
        _check.ids_once(df, id_column)
    if bound == 0.0:
        tell(f"about {_check.no_gate(df, vector_column, run, max_signatures):,} signatures")
    tell("predicting")
    predicted.write.parquet(f"{out}/votes")
    votes = spark.read.parquet(f"{out}/votes")
    tell("counting signatures")
    signature_counts(votes, run, min_confidence=min_confidence).coalesce(1).write.parquet(
        f"{out}/counts"
    )
    labels = extract(
        spark.read.parquet(f"{out}/counts"),
        run,
        min_agree=min_agree,
        max_agree=max_agree,
        min_common=min_common,
        min_confidence=min_confidence,
        max_signatures=max_signatures,
    )
    tell("labelling")
    label(votes, labels).write.parquet(f"{out}/labels")
    row = votes.agg(F.count(F.lit(1)).alias("rows"), F.count("cluster").alias("usable")).first()
    return Summary(n_rows=row["rows"], n_unlabelled=row["rows"] - row["usable"], labels=labels)


def _exists(spark: Any, path: str) -> bool:
    from pyspark.errors import AnalysisException

    try:
        # Of nothing, Sail says that it has no columns.
        return bool(spark.read.parquet(path).schema.fields)
    except AnalysisException as error:
        return "PATH_NOT_FOUND" not in str(error)
