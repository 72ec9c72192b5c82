"""Tables, beside what is expected of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from consilience.spark import _pyspark


def by_id(frame: Any) -> pd.DataFrame:
    """A frame of Spark's, collected, in the order of ids."""
    return _pyspark.arrow(frame).to_pandas().sort_values("id", ignore_index=True)


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Every column that both have, bit for bit."""
    assert len(found) == len(expected)
    for name in set(found.columns) & set(expected.columns):
        ours, theirs = found[name].to_numpy("f8"), expected[name].to_numpy("f8")
        assert np.array_equal(ours, theirs, equal_nan=True), name
