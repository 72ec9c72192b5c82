"""A cluster of processes on this machine: a driver, and two executors of a core each."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made import N, WIDTH, K
from pyspark.sql import SparkSession

import consilience


@pytest.fixture(scope="session")
def session() -> Iterator[SparkSession]:
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local-cluster[2,1,1024]").config(
        map={
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.driver.memory": "1g",
            "spark.executor.memory": "1g",
            "spark.sql.shuffle.partitions": "4",
            "spark.task.maxFailures": "8",
            "spark.log.level": "ERROR",
        }
    )
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.fixture(scope="session")
def vectors() -> np.ndarray:
    """Four groups that overlap, shape (N, WIDTH)."""
    rng = np.random.default_rng(11)
    centres = 1.4 * rng.normal(size=(K, WIDTH))
    groups = rng.integers(0, K, N)
    return (centres[groups] + rng.normal(size=(N, WIDTH))).astype("f4")


@pytest.fixture(scope="session")
def run(vectors: np.ndarray, tmp_path_factory: Any) -> Path:
    """A run of three networks and a k-means on some of the rows."""
    path: Path = tmp_path_factory.mktemp("runs") / "run"
    settings = {
        "candidates": 0,
        "communities": 0,
        "judge": False,
        "members": ["vat-im", "vat-im", "ladder", "k-means"],
        "first": {"epochs": 3, "min_steps": 150, "anneal": False},
        "network": {"hidden": [24]},
    }
    params: dict[str, Any] = {"max_rounds": 1, "min_confidence": 0.6, "preset": "embedding"}
    consilience.Consilience(K, settings=settings, **params).fit(vectors[:1500]).save(path)
    return path


@pytest.fixture(scope="session")
def source(vectors: np.ndarray, tmp_path_factory: Any) -> str:
    """The rows as Parquet in three files, their ids shuffled."""
    folder = tmp_path_factory.mktemp("rows")
    ids = np.random.default_rng(1).permutation(N)
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), WIDTH)
    table = pa.table({"id": pa.array(ids), "embedding": column.cast(pa.list_(pa.float32()))})
    for part, start in enumerate(range(0, N, 5000)):
        pq.write_table(table.slice(start, 5000), folder / f"part-{part}.parquet")
    return str(folder)
