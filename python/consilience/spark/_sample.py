"""A sample of the rows, and a run of it on one machine."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from consilience import _validation
from consilience._estimator import Consilience
from consilience._large import vectors as columns_of
from consilience.spark import _check, _pyspark

# Hexadecimal digits of a hash that are compared with a share.
_DIGITS = 8


def sample(df: Any, n: int, *, id_column: str = "id", seed: int = 0) -> Any:
    """Take rows by a hash of their ids: the same ones, whatever the order and the partitions, and on every engine.

    Parameters
    ----------
    df : pyspark.sql.DataFrame
        Rows with an id each.
    n : int
        How many; all, if there are no more.
    id_column : str
        The column of ids.
    seed : int, default=0
        Another one takes other rows.

    Returns
    -------
    pyspark.sql.DataFrame
        Rows of `df`, with all of its columns. The ids are read twice to find out which.
    """
    n = _validation.count("n", n, 1)
    F = _pyspark.functions()
    hashed = F.md5(F.concat(F.lit(f"{int(seed)}:"), F.col(id_column).cast("string")))
    total = df.count()
    if n >= total:
        return df
    # Surely enough: six standard deviations more than wanted.
    share = (n + 6 * math.sqrt(n) + 10) / total
    hashes = df.select(hashed.alias("hash"))
    if share < 1:
        bound = format(int(share * 16**_DIGITS), f"0{_DIGITS}x")
        hashes = hashes.where(F.substring("hash", 1, _DIGITS) <= bound)
    last = hashes.orderBy("hash").limit(n).agg(F.max("hash")).first()[0]
    return df.where(hashed <= last)


def fit_sample(
    df: Any,
    n: int,
    out: str | os.PathLike[str],
    *,
    n_clusters: Any = "auto",
    vector_column: str = "embedding",
    id_column: str = "id",
    seed: int = 0,
    **params: Any,
) -> Consilience:
    """Fit a sample of a frame's rows on the driver, and save the run.

    Parameters
    ----------
    df : pyspark.sql.DataFrame
        Rows with an id and a vector.
    n : int
        Rows of the sample: as many as one machine clusters in the time that there is. 20,000 is a good start.
    out : str or path
        The run folder. It must not exist, or be empty.
    n_clusters : int, (int, int) or "auto", default="auto"
        Number of clusters.
    vector_column, id_column : str
        Names of columns.
    seed : int, default=0
        Which rows are taken.
    **params
        Of :class:`consilience.Consilience`.

    Returns
    -------
    Consilience
        The fitted estimator.

    Raises
    ------
    ValueError
        For columns that can't be, rows without a usable vector, and data that can't be clustered so.
    """
    _check.columns(df, vector_column, id_column)
    estimator = Consilience(n_clusters, **params)
    rows = sample(df, n, id_column=id_column, seed=seed).select(id_column, vector_column)
    table = _pyspark.arrow(rows).sort_by(id_column)
    if not table.num_rows:
        raise ValueError("there are no rows")
    column = columns_of.lists(table.column(vector_column))
    widths = [len(value) for value in column if value.is_valid]
    width = int(np.median(widths)) if widths else 0
    vectors, usable = columns_of.usable(column, width)
    if not usable.all():
        row = int(np.flatnonzero(~usable)[0])
        problem = columns_of.problem(column, row, width)
        raise ValueError(
            f"{id_column} {table.column(id_column)[row].as_py()!r}: {vector_column} {problem}"
        )
    estimator.fit(vectors)
    estimator.save(out)
    return estimator
