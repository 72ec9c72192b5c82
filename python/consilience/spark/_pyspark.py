"""Spark, which is an optional dependency: imported where it is needed, with a message where it is missing."""

from __future__ import annotations

from typing import Any


def functions() -> Any:
    """``pyspark.sql.functions``."""
    return _imported("pyspark.sql.functions")


def types() -> Any:
    """``pyspark.sql.types``."""
    return _imported("pyspark.sql.types")


def sql() -> Any:
    """``pyspark.sql``."""
    return _imported("pyspark.sql")


def _imported(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"consilience.spark needs {error.name}; install Spark's package (pip install pyspark), or run it where Spark is"
        ) from error


def arrow(frame: Any) -> Any:
    """Collect a small frame as a table of Arrow."""
    import pyarrow as pa

    if hasattr(frame, "toArrow"):
        return frame.toArrow()
    # Spark 3.5.
    return pa.Table.from_pandas(frame.toPandas(), preserve_index=False)


def one_line(error: Exception) -> str | None:
    """What an error of Spark's says, without the traces of stacks; `None` of another's."""
    from pyspark.errors import PySparkException

    if not isinstance(error, PySparkException):
        return None
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Of a task that failed, what our code said; else what Spark says first.
    ours = [line for line in lines if line.startswith("ValueError: ")]
    return ours[-1].removeprefix("ValueError: ") if ours else lines[0]
