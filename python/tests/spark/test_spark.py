"""On a cluster of processes: what one process finds, whatever the cut."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from made import N, WIDTH, K
from pyspark.errors import PySparkException
from pyspark.sql import functions as F
from tables import by_id, same

import consilience.spark as cs
from consilience import Consilience, Predictor


def test_all_of_it_is_what_one_process_finds(
    session: Any, run: Path, source: str, alone: Any, tmp_path: Path
) -> None:
    lines: list[str] = []
    df = session.read.parquet(source).repartition(7)
    summary = cs.label_all(df, run, str(tmp_path / "out"), tell=lines.append)
    labels = by_id(session.read.parquet(str(tmp_path / "out/labels")))
    same(labels, alone)
    same(by_id(session.read.parquet(str(tmp_path / "out/votes"))), alone)
    assert summary.n_rows == N and summary.labels.complete and len(lines) == 4
    assert summary.labels.n_labelled == labels["pseudo_label"].notna().sum() > N / 3
    assert str(summary).startswith(f"{N:,} rows, K = 4")
    with pytest.raises(ValueError, match="out/votes exists already"):
        cs.label_all(df, run, str(tmp_path / "out"))
    # Another strictness, from the table of votes alone.
    votes = session.read.parquet(str(tmp_path / "out/votes"))
    strict = cs.extract(
        cs.signature_counts(votes, run, min_confidence=0.9), run, min_confidence=0.9
    )
    assert cs.label(votes, strict).where("pseudo_label is not null").count() == strict.n_labelled
    assert 0 < strict.n_labelled < summary.labels.n_labelled


@pytest.mark.parametrize(("rows", "parts"), [(7, 2), (1000, 5), (10_000, 1)])
def test_any_cut_gives_the_same(
    session: Any, run: Path, source: str, alone: Any, rows: int, parts: int
) -> None:
    few = 30 * rows
    session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", rows)
    df = session.read.parquet(source).where(F.col("id") < few).repartition(parts)
    found = by_id(cs.predict(df, run))
    session.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    same(found, alone[alone["id"] < few].reset_index(drop=True))


def test_broken_rows_fail_with_their_id_or_are_counted(
    session: Any, run: Path, source: str, tmp_path: Path
) -> None:
    vector = (
        "case when id = 77 then null when id = 78 then slice(embedding, 1, 5) else embedding end"
    )
    df = session.read.parquet(source).selectExpr("id", f"{vector} as embedding")
    one = df.where("id = 78").union(df.where("id > 200").limit(5)).orderBy(F.desc("id"))
    with pytest.raises(PySparkException, match="id 78: embedding has 5 numbers"):
        cs.predict(one, run).collect()
    few = df.where("id < 3000")
    summary = cs.label_all(few, run, str(tmp_path / "out"), on_invalid="unlabelled")
    assert (summary.n_rows, summary.n_unlabelled) == (3000, 2)
    left = session.read.parquet(str(tmp_path / "out/labels")).where("cluster is null")
    assert sorted(row["id"] for row in left.collect()) == [77, 78]


def test_what_can_be_known_is_refused_before_tasks_start(
    session: Any, run: Path, source: str, tmp_path: Path
) -> None:
    df = session.read.parquet(source)
    out = str(tmp_path / "out")
    narrow = df.selectExpr("id", "slice(embedding, 1, 5) as embedding")
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (df, {"vector_column": "vector"}, "no column 'vector'; there are 'id', 'embedding'"),
        (df, {"vector_column": "id"}, "vectors are arrays of numbers"),
        (df.withColumn("id", F.rand()), {}, "ids are whole numbers or strings"),
        (df.where("id < 0"), {}, "there are no rows"),
        (narrow, {}, f"has 5 numbers, and the run's models take {WIDTH}"),
        (df.union(df.where("id = 5")), {}, "id 5 names 2 rows"),
        (df, {"min_confidence": 1.5}, "min_confidence: need"),
        (df, {"min_confidence": 0, "max_signatures": 3}, "there will be about [0-9]+ signatures"),
        (df, {"on_invalid": "drop"}, "on_invalid: need"),
    ]
    for frame, options, problem in cases:
        with pytest.raises(ValueError, match=problem):
            cs.label_all(frame, run, out, **options)
    assert not (tmp_path / "out").exists()
    with pytest.raises(FileNotFoundError):
        cs.predict(df, tmp_path / "nowhere")


def test_without_a_gate_it_says_how_large_the_table_is(
    session: Any, run: Path, source: str
) -> None:
    votes = cs.predict(session.read.parquet(source).where("id < 5000"), run)
    counts = cs.signature_counts(votes, run, min_confidence=0.0).cache()
    with pytest.raises(ValueError, match=f"{counts.count():,} signatures .* takes 3; count again"):
        cs.extract(counts, run, min_confidence=0.0, max_signatures=3)
    with pytest.raises(ValueError, match="no row passes the gate"):
        cs.extract(
            cs.signature_counts(votes, run, min_confidence=0.9999), run, min_confidence=0.9999
        )


def test_a_sample_is_the_same_rows_and_becomes_a_run(
    session: Any, source: str, tmp_path: Path
) -> None:
    df = session.read.parquet(source)
    ids = [by_id(cs.sample(frame, 900))["id"] for frame in (df, df.repartition(5))]
    assert len(ids[0]) == 900 and (ids[0] == ids[1]).all()
    other = by_id(cs.sample(df, 900, seed=1))["id"]
    assert len(set(other) & set(ids[0])) < 100
    assert cs.sample(df, N).count() == N
    named = df.withColumn("id", F.concat(F.lit("row "), "id"))
    quick = {"candidates": 0, "communities": 0, "first": {"min_steps": 30, "epochs": 1}}
    params: dict[str, Any] = {"n_models": 2, "max_rounds": 1, "settings": quick}
    fitted = cs.fit_sample(named, 400, tmp_path / "run", n_clusters=K, **params)
    assert isinstance(fitted, Consilience) and fitted.n_features_in_ == WIDTH
    predictor = Predictor(tmp_path / "run")
    found = by_id(cs.predict(named, predictor))
    assert len(found) == N and found["cluster"].nunique() == K
    again = cs.fit_sample(named.repartition(3), 400, tmp_path / "again", n_clusters=K, **params)
    assert (again.labels_ == fitted.labels_).all()


def test_the_command_does_all_of_it(run: Path, source: str, alone: Any, tmp_path: Path) -> None:
    environment = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    environment["PYSPARK_SUBMIT_ARGS"] = (
        "--master local[2] --conf spark.ui.enabled=false pyspark-shell"
    )

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "consilience.spark", *words]
        return subprocess.run(line, capture_output=True, text=True, check=False, env=environment)

    done = command(str(run), source, str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{N:,} rows, K = 4") and "predicting" in done.stderr
    same(
        pq.read_table(tmp_path / "out/labels").to_pandas().sort_values("id", ignore_index=True),
        alone,
    )
    wrong = command(str(run), source, str(tmp_path / "new"), "--vector-column", "vector")
    assert wrong.returncode == 2 and "error: no column 'vector'" in wrong.stderr
    assert not (tmp_path / "new").exists()
