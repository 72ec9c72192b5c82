"""Processes of the cluster that are killed: the result stays exact."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tables import by_id, same

import consilience.spark as cs


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


def kill(who: str, moments: random.Random) -> bool:
    """Kill one of those that work. Whether there was one."""
    daemon = KILLED["python worker"]
    found = [pid for pid in children(os.getpid(), KILLED[who]) if children(pid, daemon)]
    if found:
        os.kill(moments.choice(found), signal.SIGKILL)
    return bool(found)


def slowly(seconds: float) -> Callable[[Any], Any]:
    """A map that changes nothing, and takes so long for a batch."""

    def batch_by_batch(batches: Any) -> Any:
        for batch in batches:
            time.sleep(seconds)
            yield batch

    return batch_by_batch


def meanwhile(work: Callable[[], Any], other: Callable[[threading.Event], None]) -> Any:
    """Do both at once; `other` is told when `work` is done. Returns what `work` gives."""
    done = threading.Event()
    thread = threading.Thread(target=other, args=[done])
    thread.start()
    try:
        return work()
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("who", KILLED)
def test_whoever_is_killed_at_any_moment_the_labels_are_exact(
    session: Any, run: Path, source: str, alone: Any, who: str, tmp_path: Path
) -> None:
    df = session.read.parquet(source).repartition(16)
    df = df.mapInArrow(slowly(0.1 * KILLS), df.schema)
    killed = 0

    def killing(done: threading.Event) -> None:
        nonlocal killed
        moments = random.Random(who)
        while killed < KILLS and not done.wait(moments.uniform(0.5, 3.0)):
            killed += kill(who, moments)

    meanwhile(lambda: cs.label_all(df, run, str(tmp_path / "out"), check_ids=False), killing)
    print(f"{who}: killed {killed}")
    assert killed
    same(by_id(session.read.parquet(str(tmp_path / "out/labels"))), alone)


#: Stages of the job below: rows are spread over tasks, mapped and counted by part, and these counts added up.
MAP, SHUFFLE = 1, 2


def running(session: Any) -> tuple[int | None, bool]:
    """Which stage of its job runs, and whether one of the job's was begun again."""
    tracker = session.sparkContext.statusTracker()
    active = set(tracker.getActiveStageIds())
    for job in tracker.getActiveJobsIds():
        stages = sorted(tracker.getJobInfo(job).stageIds)
        places = [place for place, stage in enumerate(stages) if stage in active]
        known = [tracker.getStageInfo(stage) for stage in stages]
        if places:
            return places[-1], any(stage and stage.currentAttemptId for stage in known)
    return None, False


@pytest.fixture
def in_one_job(session: Any) -> Iterator[None]:
    """What is collected is one job; by itself, Spark makes one of each stage."""
    session.conf.set("spark.sql.adaptive.enabled", False)
    yield
    session.conf.unset("spark.sql.adaptive.enabled")


@pytest.mark.parametrize("who", KILLED)
@pytest.mark.usefixtures("in_one_job")
def test_whoever_is_killed_while_counts_are_shuffled_they_are_exact(
    session: Any, run: Path, source: str, alone: Any, who: str
) -> None:
    sure = alone[alone["lowest_confidence"] > np.float32(0.6)]
    groups = sure.groupby(["signature", "cluster"])["id"]
    expected = groups.agg(["count", "min"]).reset_index().sort_values(["signature", "cluster"])
    votes = cs.predict(session.read.parquet(source).repartition(8), run)
    counts = cs.signature_counts(votes.mapInArrow(slowly(0.2), votes.schema), run)
    counts = counts.mapInArrow(slowly(0.4), counts.schema)
    moments, hits, again = random.Random(who), Counter(), 0
    for number in range(KILLS):
        aim, hit, repeated = (SHUFFLE, SHUFFLE, MAP)[number % 3], None, False

        def killing(done: threading.Event) -> None:
            nonlocal hit, repeated
            while not done.wait(0.02):
                if hit is None and running(session)[0] == aim:
                    time.sleep(moments.uniform(0.0, 0.6))
                    stage = running(session)[0]
                    if kill(who, moments):
                        hit = stage
                repeated |= running(session)[1]

        found = meanwhile(counts.toPandas, killing).sort_values(["signature", "cluster"])
        assert len(found) == len(expected)
        for name, column in zip(found.columns, expected.columns):
            assert (found[name].to_numpy() == expected[column].to_numpy()).all(), name
        hits[hit] += 1
        again += repeated
    print(f"{who}: killed in the map {hits[MAP]}, in the shuffle {hits[SHUFFLE]}; stages begun again {again}")
    assert hits[SHUFFLE] and hits[MAP] + hits[SHUFFLE] == KILLS

