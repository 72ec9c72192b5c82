"""On a cluster of processes: what one process finds, whatever the cut, and whoever is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from made import N, WIDTH, K
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

import consilience.spark as cs
from consilience import Consilience, Predictor
from consilience.spark import _pyspark


def by_id(frame: Any) -> pd.DataFrame:
    """A frame of Spark's, collected, in the order of ids."""
    return _pyspark.arrow(frame).to_pandas().sort_values("id", ignore_index=True)


@pytest.fixture(scope="module")
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


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Every column that both have, bit for bit."""
    assert len(found) == len(expected)
    for name in set(found.columns) & set(expected.columns):
        ours, theirs = found[name].to_numpy("f8"), expected[name].to_numpy("f8")
        assert np.array_equal(ours, theirs, equal_nan=True), name


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


def children(of: int, word: str) -> list[int]:
    """Processes below one that have a word in their command line."""
    parents, words = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                parents[int(entry.name)] = int(stat[1])
                words[int(entry.name)] = (entry / "cmdline").read_text()
            except OSError:
                continue
    below = {of}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return [pid for pid in sorted(below) if word in words.get(pid, "")]


KILLED = {"executor": "CoarseGrainedExecutorBackend", "python worker": "pyspark.daemon"}
#: How many are killed in each test; KILLS=10 is a long look.
KILLS = int(os.environ.get("KILLS", "2"))


@pytest.mark.parametrize("who", KILLED)
def test_whoever_is_killed_the_result_is_exact(
    session: Any, run: Path, source: str, alone: Any, who: str, tmp_path: Path
) -> None:
    def slowly(batches: Any) -> Any:
        for batch in batches:
            time.sleep(0.1 * KILLS)
            yield batch

    df = session.read.parquet(source).repartition(16)
    df = df.mapInArrow(slowly, df.schema)
    done, killed = threading.Event(), []

    def kill() -> None:
        moments = random.Random(who)
        while len(killed) < KILLS and not done.wait(moments.uniform(0.5, 3.0)):
            found = children(os.getpid(), KILLED[who])
            if found:
                killed.append(moments.choice(found))
                os.kill(killed[-1], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        cs.label_all(df, run, str(tmp_path / "out"), check_ids=False)
    finally:
        done.set()
        thread.join()
    print(f"killed {len(killed)} times: {who}")
    assert killed
    same(by_id(session.read.parquet(str(tmp_path / "out/labels"))), alone)


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
