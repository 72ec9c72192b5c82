"""Columns of vectors, as Arrow has them, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: What models take: 32-bit floats.
LARGEST = float(np.finfo(np.float32).max)


def lists(column: Any) -> Any:
    """A column of lists, of whichever kind, as one array of lists.

    Raises
    ------
    ValueError
        If it holds anything but lists of numbers.
    """
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    # Ray's tensors.
    column = getattr(column, "storage", column)
    kind = column.type
    is_list = (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )
    if not is_list or not (
        pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)
    ):
        raise ValueError(f"a column of {kind} holds no lists of numbers")
    return column


def usable(
    column: Any, width: int
) -> tuple[NDArray[np.float32] | NDArray[np.float64], NDArray[np.bool_]]:
    """The vectors of a column, and which rows have one: as many 32-bit floats as models take, finite and none missing.

    Parameters
    ----------
    column : pyarrow.Array
        Lists of numbers, n_rows of them.
    width : int
        How many numbers each has to have.

    Returns
    -------
    vectors : ndarray of shape (n_usable, width)
        Those of the rows that have one, in their order.
    rows : ndarray of shape (n_rows,), bool
        Which these are.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    column = lists(column)
    lengths = np.asarray(pc.fill_null(pc.list_value_length(column), -1))
    rows = lengths == width
    whole = column if rows.all() else column.filter(pa.array(rows))
    values = whole.flatten()
    dtype = np.float64 if pa.types.is_float64(values.type) or _is_wide(values.type) else np.float32
    numbers = np.asarray(pc.cast(values, pa.from_numpy_dtype(dtype), safe=False))
    vectors = numbers.reshape(-1, width)
    # A number that is missing is a NaN here. A sum that is finite is of such numbers; one that isn't may be of large ones.
    finite = np.isfinite(vectors.sum(axis=1))
    if dtype == np.float64 or not finite.all():
        finite = (np.abs(vectors) <= LARGEST).all(axis=1)
    if not finite.all():
        rows = rows.copy()
        rows[np.flatnonzero(rows)[~finite]] = False
        vectors = np.ascontiguousarray(vectors[finite])
    return vectors, rows


def _is_wide(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) and kind.bit_width > 16)


def problem(column: Any, row: int, width: int) -> str:
    """What is wrong with a row that :func:`usable` has no vector of."""
    value = column[row].as_py()
    if value is None:
        return "is missing"
    if len(value) != width:
        return f"has {len(value)} numbers, and the run's models take {width}"
    at = next(
        place for place, number in enumerate(value) if number is None or not abs(number) <= LARGEST
    )
    return f"has {value[at]} as number {at}, counted from 0"
