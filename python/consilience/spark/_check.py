"""What can be refused before tasks start."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience import _core
from consilience._large import vectors as columns_of
from consilience.spark import _pyspark

# Rows that are looked at where there is no gate, and how signatures grow with the rows then, as measured (docs/large.md).
_LOOK, _GROWTH = 2000, 0.6


def columns(df: Any, vector_column: str, id_column: str) -> None:
    """Refuse columns that aren't there, or can't be vectors and ids."""
    types = _pyspark.types()
    known = {field.name: field.dataType for field in df.schema.fields}
    for name in (vector_column, id_column):
        if df.columns.count(name) > 1:
            raise ValueError(f"column {name!r} is there twice; drop one, or rename it")
        if name not in known:
            raise ValueError(f"no column {name!r}; there are {', '.join(map(repr, df.columns))}")
    vector, number = known[vector_column], getattr(known[vector_column], "elementType", None)
    allowed = (
        types.FloatType,
        types.DoubleType,
        types.IntegerType,
        types.LongType,
        types.ShortType,
        types.ByteType,
    )
    if not isinstance(vector, types.ArrayType) or not isinstance(number, allowed):
        hint = (
            "make arrays of them with pyspark.ml.functions.vector_to_array"
            if "vector" in vector.typeName().lower()
            else "name another with vector_column (--vector-column)"
        )
        raise ValueError(
            f"column {vector_column!r} holds {vector.simpleString()}, and vectors are arrays of numbers; {hint}"
        )
    ids = (types.StringType, types.LongType, types.IntegerType, types.ShortType, types.ByteType)
    if not isinstance(known[id_column], ids):
        raise ValueError(
            f"column {id_column!r} holds {known[id_column].simpleString()}, and ids are whole numbers or strings; name another with "
            "id_column (--id-column), or cast it"
        )


def first_row(df: Any, vector_column: str, width: int) -> None:
    """Refuse a frame without rows, and vectors of another length than models take, as far as one row tells."""
    F = _pyspark.functions()
    row = df.select(F.size(vector_column).alias("width")).first()
    if row is None:
        raise ValueError("there are no rows")
    # -1 of a null, or null itself: such rows are the tasks' to find.
    if row["width"] not in (None, -1, width):
        raise ValueError(
            f"the first row's {vector_column} has {row['width']} numbers, and the run's models take {width}; name another column "
            "(--vector-column), or the run of these data"
        )


def ids_once(df: Any, id_column: str) -> None:
    """Refuse ids that name several rows. A shuffle of the ids."""
    F = _pyspark.functions()
    twice = df.groupBy(id_column).agg(F.count(F.lit(1)).alias("rows")).where(F.col("rows") > 1)
    row = twice.first()
    if row is not None:
        raise ValueError(
            f"{id_column} {row[id_column]!r} names {row['rows']} rows; every row needs an id of its own, as pseudo-labels are told by ids "
            "(dropDuplicates leaves one of each)"
        )


def no_gate(df: Any, vector_column: str, model: _core.Model, most: int) -> int:
    """About how many signatures a frame's rows have if all are counted, judged by the first rows; refuse more than the driver takes."""
    table = _pyspark.arrow(df.select(vector_column).limit(_LOOK))
    vectors, rows = columns_of.usable(table.column(vector_column), model.n_features)
    if not len(vectors):
        return 0
    signatures = len(np.unique(model.vote(vectors, 1)[3]))
    times = max(df.count() / len(rows), 1.0)
    expected: int = round(signatures * times**_GROWTH)
    if expected > most:
        raise ValueError(
            f"without a gate (min_confidence 0) there will be about {expected:,} signatures: the first {len(rows):,} rows have "
            f"{signatures:,}; the driver takes {most:,}; give a min_confidence, which leaves hundreds, or give the driver 300 bytes for "
            "each and a higher max_signatures"
        )
    return expected
