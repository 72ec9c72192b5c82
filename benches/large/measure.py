"""Measures what the plan for large tables is made of: rates on this machine, and how signatures grow with rows.

python measure.py rates FOLDER --embeddings EMBEDDINGS.npz --rows 400000    seconds of one process, and of Spark on one executor
python measure.py check FOLDER --embeddings EMBEDDINGS.npz --rows 2000000 --executors 2
                                                                            a larger table: is the result one process's, and in what time
python measure.py growth FOLDER --embeddings EMBEDDINGS.npz --rows 10000000 distinct signatures behind the gate, and without one

FOLDER keeps the rows, the run and what came out (rates.json, check.json, growth.json). Rows are made of the embeddings: each is one of
them with noise of a fifth of its spread. It needs the environment of tools/spark_tests.sh.
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
# Rows of the table whose time is that of a step's start.
SMALL = 1000


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


def write(table: Path, embeddings: np.ndarray, rows: int, of_file: int = CHUNK) -> list[Path]:
    """The rows as Parquet, in files of so many; those that are there already are left."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table.mkdir(parents=True, exist_ok=True)
    files = [table / f"{start:09}.parquet" for start in range(0, rows, of_file)]
    if all(file.exists() for file in files):
        return files
    for number, X in enumerate(made(embeddings, rows)):
        for start in range(0, len(X), of_file):
            part, first = X[start : start + of_file], number * CHUNK + start
            ends = pa.array(np.arange(0, part.size + 1, part.shape[1], dtype="i4"))
            vectors = pa.ListArray.from_arrays(ends, pa.array(part.ravel()))
            ids = pa.array(np.arange(first, first + len(part)))
            pq.write_table(pa.table({"id": ids, "embedding": vectors}), table / f"{first:09}.parquet")
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


def busy() -> float:
    """Seconds that the cores of this machine have worked so far, for whomever."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    user, nice, system, _idle, _wait, irq, softirq, stolen = map(int, fields)
    return (user + nice + system + irq + softirq + stolen) / os.sysconf("SC_CLK_TCK")


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What `work` gives, and its seconds: by the clock, of cores, and of cores that did other work meanwhile."""
    wall, spent, worked = time.monotonic(), cpu(), busy()
    done = work()
    ours = cpu() - spent
    seconds = {"wall": time.monotonic() - wall, "cpu": ours, "other": busy() - worked - ours}
    return done, seconds


def predicting(run: Path, files: list[Path], out: Path) -> subprocess.Popen[bytes]:
    """``consilience predict --votes`` on one thread, started."""
    out.unlink(missing_ok=True)
    words = ["predict", run, *files, "--votes", "--threads", "1", "--quiet", "--out", out]
    line = [sys.executable, "-m", "consilience", *map(str, words)]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL)


def alone(run: Path, files: list[Path], folder: Path, processes: int = 1) -> dict[str, float]:
    """Seconds of that many processes at once, each of which predicts all rows; their start included."""

    def work() -> None:
        outs = [folder / f"votes{number or ''}.csv" for number in range(processes)]
        for process in [predicting(run, files, out) for out in outs]:
            assert process.wait() == 0, "consilience predict failed"

    return timed(work)[1]


def cluster(executors: int) -> Any:
    """A session on a cluster of processes: a driver, and executors of one core each."""
    from pyspark.sql import SparkSession

    os.environ |= {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.executor.memory": "1g",
        "spark.sql.shuffle.partitions": "8",
    }
    builder = SparkSession.builder.master(f"local-cluster[{executors},1,1024]")
    return builder.config(map=settings).getOrCreate()


def steps(session: Any, run: Path, files: list[Path], out: Path) -> dict[str, dict[str, float]]:
    """Seconds of each step on Spark, by name. `out` gets the tables."""
    import shutil

    import consilience.spark as cs
    from consilience.spark import _check

    shutil.rmtree(out, ignore_errors=True)
    df = session.read.parquet(*map(str, files))
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
    return seconds


def warm(session: Any, run: Path, folder: Path, embeddings: np.ndarray, executors: int) -> Any:
    """Each step on few rows, twice: the first time starts executors and their Python; the second time's seconds are returned."""
    files = write(folder / "small", embeddings, SMALL * executors, SMALL)
    for _ in range(2):
        seconds = steps(session, run, files, folder / "small/out")
    return seconds


def rates(folder: Path, embeddings: np.ndarray, rows: int) -> dict[str, Any]:
    run, files = run_of(folder, embeddings), write(folder / "rows", embeddings, rows)
    found: dict[str, Any] = {"rows": rows, "small": SMALL, "cores": os.cpu_count()}
    session = cluster(1)
    found["start"] = warm(session, run, folder, embeddings, 1)
    # The second time, what the executor runs is compiled.
    for time_ in ("first", "spark"):
        found[time_] = steps(session, run, files, folder / "out1")
    session.stop()
    found["alone"] = alone(run, files, folder)
    found["together"] = {str(n): alone(run, files, folder, n) for n in (2,)}
    return found


def check(folder: Path, embeddings: np.ndarray, rows: int, executors: int) -> dict[str, Any]:
    """Seconds of each step, added to what earlier checks found, and whether the result is one process's."""
    run, files = run_of(folder, embeddings), write(folder / "rows", embeddings, rows)
    session = cluster(executors)
    warm(session, run, folder, embeddings, executors)
    out = folder / f"out{executors}"
    seconds = steps(session, run, files, out)
    session.stop()
    votes, one = folder / f"votes-of-{rows}.csv", folder / f"alone-{rows}.json"
    if not one.exists():
        _, took = timed(lambda: predicting(run, files, votes).wait())
        one.write_text(json.dumps(took))
    labelled = compare(run, votes, out)
    kept = folder / "check.json"
    found = json.loads(kept.read_text()) if kept.exists() else {}
    found[str(executors)] = {"rows": rows, "labelled": labelled, "spark": seconds}
    found[str(executors)]["alone"] = json.loads(one.read_text())
    return found


def compare(run: Path, votes: Path, out: Path) -> int:
    """Compare what Spark wrote with the command line's, by id and bit for bit. Returns how many rows have a pseudo-label."""
    import pandas as pd

    from consilience._large.labels import gate_of, model_of

    exact = {"confidence": "f4", "lowest_confidence": "f4"}
    expected = pd.read_csv(votes, dtype=exact)
    sure = expected["lowest_confidence"] > np.float32(gate_of(model_of(run), None))
    groups = expected[sure].groupby(["signature", "cluster"])["id"]
    counts = groups.agg(["count", "min"]).reset_index().rename(columns={"min": "first"})
    counts.to_csv(votes.with_name("counts.csv"), index=False)
    labels = votes.with_name("labels.csv")
    labels.unlink(missing_ok=True)
    words = ["pseudo-label", run, "--counts", votes.with_name("counts.csv"), "--out", labels]
    line = [sys.executable, "-m", "consilience", *map(str, words), "--quiet"]
    # 1: some cluster has no label.
    code = subprocess.run(line, check=False, stdout=subprocess.DEVNULL).returncode
    assert code in (0, 1), "consilience pseudo-label failed"
    named = pd.read_csv(labels).rename(columns={"label": "pseudo_label"})
    expected = expected.merge(named, on="signature", how="left")
    without = ~sure | (expected["cluster"] != expected["pseudo_label"])
    expected.loc[without, ["pseudo_label", "agreement", "margin"]] = np.nan
    expected = expected.sort_values("id", ignore_index=True)
    for table in ("votes", "labels"):
        found = pd.read_parquet(out / table).sort_values("id", ignore_index=True)
        assert len(found) == len(expected), table
        for name in found.columns:
            ours, theirs = found[name].to_numpy("f8"), expected[name].to_numpy("f8")
            assert np.array_equal(ours, theirs, equal_nan=True), f"{table}: {name} differs"
        print(f"{table}: {len(found):,} rows are equal in {', '.join(found.columns)}", flush=True)
    return int(expected["pseudo_label"].notna().sum())


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
    parser.add_argument("what", choices=("rates", "check", "growth"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--embeddings", type=Path, required=True, help="an .npz, its largest array")
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--executors", type=int, default=2, help="of check [default: 2]")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    with np.load(args.embeddings) as arrays:
        embeddings = max(arrays.values(), key=lambda array: array.size).astype(np.float32)
    given = (args.folder, embeddings, args.rows)
    if args.what == "check":
        found: Any = check(*given, args.executors)
    else:
        found = (rates if args.what == "rates" else growth)(*given)
    (args.folder / f"{args.what}.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
