"""From samples as users have them to an array that the engine takes, with scikit-learn's checks in front."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

# Numbers that a 32-bit float holds exactly: as 64-bit ones they would only take more room. The engine takes bytes, such as pixels, as they are.
_SMALL = (np.bool_, np.int8, np.int16, np.uint16, np.float16)
_HOW: dict[str, Any] = {
    "accept_sparse": "csr",
    "dtype": [np.float64, np.float32, np.uint8],
    "order": "C",
    "ensure_all_finite": False,  # `_finite` says which isn't
}


def for_estimator(
    estimator: Any, X: Any, *, reset: bool, min_samples: int = 1
) -> NDArray[Any]:
    """Check `X` as scikit-learn does, names of features included, and make it dense."""
    _refuse(X)
    with _rows_explained():
        checked = validate_data(
            estimator, _narrow(X), reset=reset, ensure_min_samples=min_samples, **_HOW
        )
    return _finite(_dense(checked), X)


def alone(X: Any, name: str) -> NDArray[Any]:
    """Check `X` where there is no estimator. `name`: who messages say expects it."""
    _refuse(X)
    with _rows_explained():
        checked = check_array(_narrow(X), estimator=name, **_HOW)
    return _finite(_dense(checked), X)


def feature_names(X: Any) -> list[str] | None:
    """Names of columns, if all of them are strings."""
    columns = getattr(X, "column_names", None) or getattr(X, "columns", None)
    if columns is None or callable(columns):
        return None
    names = list(columns)
    return names if names and all(isinstance(name, str) for name in names) else None


def _refuse(X: Any) -> None:
    """Say in a sentence what is wrong where scikit-learn would print the data, or take what are no numbers."""
    if X is None or isinstance(X, (str, bytes, os.PathLike)):
        raise ValueError(
            f"X: need an array or a data frame, got {X!r}; read files first, for instance with numpy.load or pandas.read_csv"
        )
    if isinstance(X, np.ndarray):
        if X.dtype.kind == "c":
            raise ValueError(
                "Complex data not supported: make two features of each, for instance with numpy.hstack([X.real, X.imag])"
            )
        if X.dtype.kind in "mM":
            raise ValueError("X holds dates or times; make numbers of them, such as days since the first")
        if X.dtype.names is not None:
            raise ValueError(
                "X is a structured array; make a plain one with numpy.lib.recfunctions.structured_to_unstructured(X)"
            )
    shape = getattr(X, "shape", None)
    if shape is None and hasattr(X, "collect"):
        raise ValueError("X is a frame that is still to be computed; give X.collect()")
    if isinstance(shape, tuple) and len(shape) == 1 and shape != (0,):
        if _is_list(X[0] if isinstance(X, np.ndarray) else next(iter(X))):
            raise ValueError(_STACK.format("X", "X"))
        raise ValueError(
            f"Expected 2D array, got 1D array of shape {shape}. Reshape your data: X.reshape(-1, 1) if it has one feature, "
            "X.reshape(1, -1) if it is one sample"
        )
    if isinstance(shape, tuple) and shape[1:] == (0,):
        raise ValueError(f"Found array with 0 feature(s) (shape={shape}) while a minimum of 1 is required.")
    lists = [name for name, column, _ in _typed_columns(X) if len(column) and _is_list(next(iter(column)))]
    if lists:
        raise ValueError(_STACK.format(f"column {lists[0]!r}", f"X[{lists[0]!r}]"))
    words = [name for name, column, dtype in _typed_columns(X) if _holds_no_numbers(column, dtype)]
    if words:
        raise ValueError(
            f"columns that hold no numbers: {_some(words)}; drop them, or encode them, for instance words with "
            "sklearn.preprocessing.OneHotEncoder"
        )


_STACK = "{} has a list in each row; make an array of these, for instance with numpy.stack({})"


def _is_list(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, (str, bytes, dict))


# What types of columns that hold no numbers begin with, in pandas and in polars.
_NO_NUMBERS = (
    "str", "String", "Utf8", "category", "Categorical", "Enum", "datetime", "Date", "Time", "timedelta", "Duration", "period",
    "Struct", "Binary",
)  # fmt: skip


def _typed_columns(X: Any) -> Iterator[tuple[str, Any, str]]:
    """A frame's columns: names, what gives the values, and types."""
    dtypes, names = getattr(X, "dtypes", None), feature_names(X)
    if names is None or dtypes is None or len(names) != len(list(dtypes)):
        return
    for place, (name, dtype) in enumerate(zip(names, dtypes)):
        yield name, X.iloc[:, place] if hasattr(X, "iloc") else X[name], str(dtype)


def _holds_no_numbers(column: Any, dtype: str) -> bool:
    if dtype in ("object", "Object"):
        return any(isinstance(value, (str, bytes, dict)) for value in column)
    return dtype.startswith(_NO_NUMBERS)


def _some(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


@contextmanager
def _rows_explained() -> Iterator[None]:
    """Say what to do about words among numbers, and about ragged rows."""
    try:
        yield
    except ValueError as error:
        _, isnt, word = str(error).partition("could not convert string to float: ")
        if "setting an array element with a sequence" in str(error):
            raise ValueError("X has rows of several lengths; need as many numbers in each") from None
        if not isnt:
            raise
        raise ValueError(
            f"X holds words, such as {word}: need numbers; drop their columns, or encode them, for instance with "
            "sklearn.preprocessing.OneHotEncoder"
        ) from None


def _finite(values: NDArray[Any], X: Any) -> NDArray[Any]:
    """The same `values`, unless some are missing or infinite."""
    # One pass without a copy; a sum can also be infinite because it is large.
    with np.errstate(all="ignore"):
        if np.isfinite(values.sum()):
            return values
    for is_wrong, what, remedy in (
        (np.isnan, "NaN", "drop their rows, or fill them in, for instance with sklearn.impute.SimpleImputer"),
        (np.isinf, "infinity", "drop their rows, or replace them"),
    ):
        wrong = is_wrong(values)
        count = np.count_nonzero(wrong)
        if count:
            row, column = np.unravel_index(wrong.argmax(), wrong.shape)
            names = feature_names(X)
            place = f"row {row}, column {column if names is None else repr(names[column])}"
            missing = "missing" if is_wrong is np.isnan else "infinite"
            many = f"1 value is {missing}, in" if count == 1 else f"{count:,} values are {missing}, the first in"
            raise ValueError(f"Input X contains {what}: {many} {place}; {remedy}")
    return values


def _narrow(X: Any) -> Any:
    dtype = getattr(X, "dtype", None)
    if isinstance(X, np.ndarray) and dtype is not None and dtype.type in _SMALL:
        return X.astype(np.float32)
    return X


def _dense(X: Any) -> NDArray[Any]:
    dense: NDArray[Any] = np.ascontiguousarray(X.toarray()) if hasattr(X, "toarray") else X
    return dense
