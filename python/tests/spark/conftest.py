"""A cluster of processes on this machine: a driver, and two executors of a core each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
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


@pytest.fixture(scope="session")
def alone(run: Path, source: str, tmp_path_factory: Any) -> pd.DataFrame:
    """The same in one process, by the command line and a GROUP BY of pandas."""
    folder = tmp_path_factory.mktemp("alone")

    def command(*words: str) -> None:
        line = [sys.executable, "-m", "consilience", *words]
        done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=folder)
        assert done.returncode == 0, done.stderr

    parts = [str(part) for part in sorted(Path(source).glob("*.parquet"))]
    command("predict", str(run), *parts, "--votes", "--out", "votes.csv", "--quiet")
    votes = pd.read_csv(folder / "votes.csv", dtype={"confidence": "f4", "lowest_confidence": "f4"})
    votes["id"] = np.concatenate([pq.read_table(part)["id"].to_numpy() for part in parts])
    sure = votes["lowest_confidence"] > np.float32(0.6)
    groups = votes[sure].groupby(["signature", "cluster"])["id"]
    counts = groups.agg(["count", "min"]).reset_index().rename(columns={"min": "first"})
    counts.to_csv(folder / "counts.csv", index=False)
    command("pseudo-label", str(run), "--counts", "counts.csv", "--out", "labels.csv", "--quiet")
    labels = pd.read_csv(folder / "labels.csv").rename(columns={"label": "pseudo_label"})
    votes = votes.merge(labels, on="signature", how="left")
    without = ~sure | (votes["cluster"] != votes["pseudo_label"])
    votes.loc[without, ["pseudo_label", "agreement", "margin"]] = np.nan
    return votes.sort_values("id", ignore_index=True)
