"""Measures what the plan for large tables is made of: rates on this machine, and how signatures grow with rows.

python measure.py rates FOLDER --embeddings EMBEDDINGS.npz --rows 200000    rates of one process, and of Spark on 1 and 2 executors
python measure.py growth FOLDER --embeddings EMBEDDINGS.npz --rows 1000000  distinct signatures behind the gate, and without one

FOLDER keeps the rows, the run and what came out (rates.json, growth.json). Rows are made of the embeddings: each is one of them
with noise of a fifth of its spread. It needs the environment of tools/spark_tests.sh.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

# Rows that are made at a time, and how far they are from the embeddings that they are made of, in standard deviations of these.
CHUNK, NOISE = 50_000, 0.2
CLUSTERS, FITTED = 20, 6000


def made(embeddings: np.ndarray, rows: int) -> Iterator[np.ndarray]:
    """Rows, a chunk at a time; the same whatever their number."""
    spread = NOISE * embeddings.std()
    for number, start in enumerate(range(0, rows, CHUNK)):
        rng = np.random.default_rng([7, number])
        of = rng.integers(0, len(embeddings), min(CHUNK, rows - start))
        noise = rng.standard_normal((len(of), embeddings.shape[1]), dtype=np.float32)
        yield embeddings[of] + np.float32(spread) * noise


def run_of(folder: Path, embeddings: np.ndarray) -> Path:
    """A run on some rows, made once."""
    from consilience import Consilience

    run = folder / "run"
    if not run.exists():
        X = next(made(embeddings, CHUNK))[:FITTED]
        Consilience(CLUSTERS, preset="embedding", max_rounds=1).fit(X).save(run)
    return run


def write(folder: Path, embeddings: np.ndarray, rows: int) -> list[Path]:
    """The rows as Parquet, a file a chunk."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = folder / "rows"
    table.mkdir(exist_ok=True)
    files = []
    for number, X in enumerate(made(embeddings, rows)):
        files.append(table / f"{number:05}.parquet")
        if files[-1].exists():
            continue
        ends = pa.array(np.arange(0, X.size + 1, X.shape[1], dtype="i4"))
        vectors = pa.ListArray.from_arrays(ends, pa.array(X.ravel()))
        ids = pa.array(np.arange(number * CHUNK, number * CHUNK + len(X)))
        pq.write_table(pa.table({"id": ids, "embedding": vectors}), files[-1])
    return files


def cpu() -> float:
    """Seconds that the processes below this one have spent so far, dead ones included."""
    parents, spent = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
            # User and system time, and those of children that were waited for.
            spent[int(entry.name)] = sum(map(int, fields[11:15]))
    below = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    ticks = sum(spent.get(pid, 0) for pid in below)
    return ticks / os.sysconf("SC_CLK_TCK")


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What `work` gives, and its seconds: by the clock, and of cores."""
    wall, spent = time.monotonic(), cpu()
    done = work()
    return done, {"wall": time.monotonic() - wall, "cpu": cpu() - spent}


def alone(run: Path, files: list[Path], folder: Path) -> dict[str, float]:
    """Seconds of ``consilience predict --votes`` on one thread, its start included."""
    out = folder / "votes.csv"
    out.unlink(missing_ok=True)
    words = ["predict", run, *files, "--votes", "--threads", "1", "--quiet", "--out", out]
    line = [sys.executable, "-m", "consilience", *map(str, words)]
    return timed(lambda: subprocess.run(line, check=True, stdout=subprocess.DEVNULL))[1]


def on_spark(run: Path, folder: Path, executors: int) -> dict[str, dict[str, float]]:
    """Seconds of each step, by name."""
    import shutil

    from pyspark.sql import SparkSession

    import consilience.spark as cs
    from consilience.spark import _check

    os.environ |= {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.executor.memory": "1g",
        "spark.sql.shuffle.partitions": "8",
    }
    builder = SparkSession.builder.master(f"local-cluster[{executors},1,1024]")
    session = builder.config(map=settings).getOrCreate()
    out = folder / f"out{executors}"
    shutil.rmtree(out, ignore_errors=True)
    df = session.read.parquet(str(folder / "rows"))
    # Executors and their Python start before the clock does.
    cs.predict(df.limit(2000).repartition(2 * executors), run).count()
    seconds = {}
    _, seconds["ids"] = timed(lambda: _check.ids_once(df, "id"))
    predicted = cs.predict(df, run)
    _, seconds["predict"] = timed(lambda: predicted.write.parquet(str(out / "votes")))
    votes = session.read.parquet(str(out / "votes"))
    counts = cs.signature_counts(votes, run)
    _, seconds["count"] = timed(lambda: counts.write.parquet(str(out / "counts")))
    counts = session.read.parquet(str(out / "counts"))
    labels, seconds["extract"] = timed(lambda: cs.extract(counts, run))
    labelled = cs.label(votes, labels)
    _, seconds["label"] = timed(lambda: labelled.write.parquet(str(out / "labels")))
    session.stop()
    return seconds


def rates(folder: Path, embeddings: np.ndarray, rows: int) -> dict[str, Any]:
    run, files = run_of(folder, embeddings), write(folder, embeddings, rows)
    seconds = {str(executors): on_spark(run, folder, executors) for executors in (1, 2)}
    return {"rows": rows, "alone": alone(run, files, folder), "spark": seconds}


def growth(folder: Path, embeddings: np.ndarray, rows: int) -> list[dict[str, int]]:
    """Distinct signatures of the first rows, at powers of the root of ten."""
    from consilience._large.labels import gate_of, model_of

    model = model_of(run_of(folder, embeddings))
    bound = np.float32(gate_of(model, None))
    steps = [int(round(10 ** (power / 2))) for power in range(6, 20)]
    steps = [step for step in steps if step <= rows]
    seen: list[set[Any]] = [set(), set()]
    sure, done, points = 0, 0, []
    for X in made(embeddings, rows):
        _, _, lowest, signatures = model.vote(X, 0)
        passes, signatures = lowest > bound, np.asarray(signatures)
        ends = [step - done for step in steps if done < step <= done + len(X)] + [len(X)]
        start = 0
        for end in ends:
            part = slice(start, end)
            seen[0].update(np.unique(signatures[part][passes[part]]).tolist())
            seen[1].update(np.unique(signatures[part]).tolist())
            sure += int(passes[part].sum())
            start = end
            if done + end in steps and done + end not in {point["rows"] for point in points}:
                point = {"rows": done + end, "sure": sure}
                points.append(point | {"gate": len(seen[0]), "no_gate": len(seen[1])})
                print(points[-1], flush=True)
        done += len(X)
    return points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("rates", "growth"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--embeddings", type=Path, required=True, help="an .npz, its largest array")
    parser.add_argument("--rows", type=int, default=200_000)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    with np.load(args.embeddings) as arrays:
        embeddings = max(arrays.values(), key=lambda array: array.size).astype(np.float32)
    work = rates if args.what == "rates" else growth
    found = work(args.folder, embeddings, args.rows)
    (args.folder / f"{args.what}.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
