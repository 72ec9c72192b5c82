"""What the Python package costs beside the command line: the same work by both, in turn, each in a process of its own.

    target/python/venv/bin/python benches/python/overhead.py [fit-10k] [fit] [predict] [votes] [--pairs N] [--program PATH]

Python's side has its data in memory, as in a notebook, and the command line reads a file of them: fits are of MNIST (10,000 images or all,
`--effort quick`, 10 clusters), predictions of 1,000,000 rows of 64 features by five small networks, pseudo-labels of 10 x 10,000,000 votes.
Both have to give the same clusters.

- The processor's seconds (user and system, of all threads) are compared, as other programs may run meanwhile. Those of Python are of the call
  (`fit`, `predict`, `pseudo_label`), and in all, with the interpreter, imports, reading the array and, for `fit`, writing the run folder.
- Memory is the peak resident size of the command's process, and by how much the peak during Python's call is above what its process had before
  (the interpreter, imports and the array).

`--program`: the command; by default the one that the wheel brought, so that both sides are compiled alike. MNIST is in the folder that
`--data` or $CONSILIENCE_DATA names, or in ../shared/data.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
TASKS = ("fit-10k", "fit", "predict", "votes")
#: The most that `predict` and its like may cost, as a multiple of the command line's seconds.
ALLOWED = {"fit-10k": 1.05, "fit": 1.05, "predict": 1.05, "votes": 1.10}
#: Networks that are trained for a moment: what they find is of no interest here.
SMALL = "candidates = 0\ncommunities = 0\n[first]\nmin_steps = 500\nepochs = 1\n[network]\nhidden = [100, 100]\n"


def mnist(folder: Path, whole: bool) -> np.ndarray:
    """Images as they are stored, shape (n, 784), uint8."""
    parts = ("train", "t10k") if whole else ("t10k",)
    pixels = []
    for part in parts:
        with gzip.open(folder / f"mnist/{part}-images-idx3-ubyte.gz") as file:
            pixels.append(np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784))
    return np.concatenate(pixels)


def make(task: str, folder: Path, data: Path, program: str) -> None:
    """The file of a task, and the run that predicts."""
    rng = np.random.default_rng(0)
    if task.startswith("fit"):
        np.save(folder / "x.npy", mnist(data, task == "fit"))
    elif task == "predict":
        from sklearn.datasets import load_digits

        digits = load_digits().data.astype(np.float32)
        rows = rng.integers(len(digits), size=1_000_000)
        noise = rng.normal(size=(len(rows), digits.shape[1])).astype(np.float32)
        np.save(folder / "x.npy", digits[rows] + noise)
        np.save(folder / "digits.npy", digits)
        (folder / "small.toml").write_text(SMALL)
        words = ("-k", "10", "--models", "5", "--rounds", "1", "--config", "small.toml", "--out", "run", "--quiet")
        subprocess.run([program, "cluster", "digits.npy", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    else:
        truth = rng.integers(10, size=10_000_000, dtype=np.int32)
        votes = np.tile(truth, (10, 1))
        for model in votes:
            wrong = rng.random(len(truth)) < 0.1
            model[wrong] = rng.integers(10, size=np.count_nonzero(wrong))
        np.save(folder / "x.npy", votes)


def words(task: str) -> list[str]:
    """What the command line is to do."""
    if task.startswith("fit"):
        return ["cluster", "x.npy", "-k", "10", "--effort", "quick", "--out", "found", "--quiet"]
    if task == "predict":
        return ["predict", "run", "x.npy", "--out", "found.npy", "--quiet"]
    return ["pseudo-label", "x.npy", "-k", "10", "--no-curve", "--out", "found", "--quiet"]


def resident() -> float:
    """What this process has of memory, in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def python_side(task: str, folder: Path) -> dict[str, Any]:
    """The same from Python: the seconds of the call, its memory, and what it found."""
    from consilience import Consilience, Predictor, pseudo_label

    x = np.load(folder / "x.npy")
    predictor = Predictor(folder / "run") if task == "predict" else None
    held, before = resident(), time.process_time()
    if task.startswith("fit"):
        model = Consilience(10, effort="quick").fit(x)
        labels = model.labels_
    elif predictor is not None:
        labels = predictor.predict(x)
    else:
        labels = pseudo_label(x, 10).labels
    seconds = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if task.startswith("fit"):
        model.save(folder / "ours", x)
    np.save(folder / "labels.npy", labels)
    return {"call": seconds, "held": held, "added": peak - held, "x_mib": x.nbytes / 2**20}


def measured(line: list[str], folder: Path) -> dict[str, Any]:
    """Processor seconds and peak MiB of a process, with what it printed as JSON."""
    with tempfile.TemporaryFile("w+") as output:
        start = time.monotonic()
        process = subprocess.Popen(line, cwd=folder, stdout=output)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        told = output.read()
    if process.returncode:
        sys.exit(f"{line[0]} ended with {process.returncode}\n{told}")
    numbers = {"cpu": used.ru_utime + used.ru_stime, "mib": used.ru_maxrss / 1024, "wall": wall}
    return {**numbers, **(json.loads(told) if told.startswith("{") else {})}


def clusters(task: str, folder: Path) -> np.ndarray:
    """The clusters that the command line found."""
    if task == "predict":
        return np.load(folder / "found.npy")
    return np.load(folder / "found/assignments.npy")


def empty(folder: Path) -> None:
    for name in ("found", "ours"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "found.npy").unlink(missing_ok=True)


def compare(task: str, pairs: int, data: Path, program: str) -> None:
    with tempfile.TemporaryDirectory(prefix="overhead-") as name:
        folder = Path(name)
        # In a process of its own: one's peak counts as that of processes that it starts.
        making = [sys.executable, __file__, "--make", task, "--data", str(data), "--program", program]
        subprocess.run(making, cwd=folder, check=True)
        theirs, ours = [], []
        for _ in range(pairs):
            theirs.append(measured([program, *words(task)], folder))
            ours.append(measured([sys.executable, __file__, "--child", task], folder))
            if not np.array_equal(clusters(task, folder), np.load(folder / "labels.npy")):
                sys.exit(f"{task}: the command line and Python found other clusters")
            empty(folder)

    def median(rows: list[dict[str, Any]], of: str) -> float:
        return statistics.median(row[of] for row in rows)

    command, call, whole = median(theirs, "cpu"), median(ours, "call"), median(ours, "cpu")
    added, held, mib = median(ours, "added"), median(ours, "held"), median(theirs, "mib")
    print(f"{task}: the same clusters, {pairs} pairs; medians")
    print(f"  processor's seconds  command {command:.2f}, Python {whole:.2f}, of which the call {call:.2f}")
    verdict = "within" if call <= ALLOWED[task] * command else "OVER"
    print(f"  call / command       {call / command:.3f}, {verdict} {ALLOWED[task]}; whole process {whole / command:.3f}")
    print(
        f"  peak MiB             command {mib:.0f}; Python's call {added:.0f} more than the {held:.0f} that it began with, "
        f"of which X {ours[0]['x_mib']:.0f}; call / command {added / mib:.3f}"
    )
    each = ", ".join(f"{a['cpu']:.2f} : {b['call']:.2f}" for a, b in zip(theirs, ours))
    print(f"  each pair            {each}; wall {median(theirs, 'wall'):.1f} : {median(ours, 'wall'):.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"{', '.join(TASKS)} (default: all)")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--program", default=str(Path(sysconfig.get_path("scripts")) / "consilience"))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("CONSILIENCE_DATA") or ROOT.parent / "shared/data"))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--make", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(python_side(args.child, Path.cwd())))
        return
    if args.make:
        make(args.make, Path.cwd(), args.data, args.program)
        return
    unknown = set(args.tasks) - set(TASKS)
    if unknown:
        parser.error(f"no task {sorted(unknown)[0]!r}; there are {', '.join(TASKS)}")
    print(f"load {os.getloadavg()[0]:.1f} before the start, {os.cpu_count()} cores, {args.program}")
    for task in args.tasks or TASKS:
        compare(task, args.pairs, args.data.resolve(), str(Path(args.program).resolve()))


if __name__ == "__main__":
    main()
