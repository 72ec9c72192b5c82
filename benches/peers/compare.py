"""Consensus methods side by side on the same votes: how far each gets, and how well. See README.md.

Every run is a process of its own, measured from outside. This one stays small (no numpy): a child's peak
memory, as the system counts it, is never below its parent's at the fork.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import date
from importlib import metadata
from pathlib import Path
from statistics import mean

HERE = Path(__file__).resolve().parent
GRID = [int(lead * 10**power) for power in range(3, 7) for lead in (1, 2, 5)] + [10**7]
MIB = 2**20


@dataclass(frozen=True)
class Case:
    """Where votes come from."""

    n: int
    k: int
    models: int
    noise: float
    own_k: bool = False
    seed: int = 0

    def __str__(self) -> str:
        own = ", each model with 5 to 20 clusters of its own" if self.own_k else ""
        return f"noise {self.noise:.0%}{own}"

    def files(self, folder: Path) -> tuple[Path, Path]:
        """Truth and votes, made if they are not there."""
        stem = f"{self.n}-{self.noise}-{self.own_k}-{self.seed}"
        truth, votes = folder / f"truth-{stem}.npy", folder / f"votes-{stem}.npy"
        if not votes.exists():
            names = ("n", "k", "models", "noise", "seed")
            options = [f"--{name}={getattr(self, name)}" for name in names] + ["--own-k"] * self.own_k
            python("votes.py", "make", truth, votes, *options)
        return truth, votes


@dataclass(frozen=True)
class Method:
    """What is run: a peer of methods.py, or our program ('consilience')."""

    name: str
    run: str
    min_agree: int = 0
    max_agree: int = 0

    @property
    def label(self) -> str:
        return f"{self.name}, {self.min_agree}/{self.max_agree}" if self.min_agree else self.name


@dataclass
class Result:
    """What came of a run; `failure` is empty if it finished."""

    seconds: float
    mib: float
    failure: str
    stdout: str
    found: Path
    scores: dict[str, dict[str, float]] = field(default_factory=dict)  # of 'all' and of 'labelled' samples


def python(script: str, *args: object) -> str:
    """What one of our own scripts prints."""
    command = [sys.executable, HERE / script, *map(str, args)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def measured(command: list[str], found: Path, seconds: float, memory: int) -> Result:
    """Runs a command under limits of time and of address space, and measures it from outside."""
    if shutil.which(command[0]) is None:
        return Result(0, 0, f"not run: no program {Path(command[0]).name}", "", found)
    killed = threading.Event()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.monotonic()
        child = subprocess.Popen(
            command,
            stdout=out,
            stderr=err,
            start_new_session=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (memory, memory)),
        )
        killer = threading.Timer(seconds, lambda: (killed.set(), os.killpg(child.pid, signal.SIGKILL)))
        killer.start()
        _, status, usage = os.wait4(child.pid, 0)
        took = time.monotonic() - start
        killer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        stdout, stderr = out.read(), err.read()
    failure = f"time: killed after {seconds:.0f} s" if killed.is_set() else ""
    if not failure and not found.exists():
        failure = why_failed(child.returncode, stderr.strip() or stdout.strip())
    return Result(took, usage.ru_maxrss * 1024 / MIB, failure, stdout, found)


def why_failed(status: int, said: str) -> str:
    """In short, from what a command said before it ended without a result."""
    lines = said.splitlines() or [f"no result, exit status {status}"]
    words = ("MemoryError", "bad_alloc", "memory allocation", "Cannot allocate memory")
    memory = next((line for line in lines if any(word in line for word in words)), None)
    why = f"memory: {memory.split(': ', 1)[-1]}" if memory else f"error: {lines[-1]}"
    if status < 0 and not memory:
        why += f" ({signal.Signals(-status).name})"
    return textwrap.shorten(why, 90, placeholder=" …").replace("|", "/")


class Bench:
    """Runs methods on cases in a scratch folder."""

    def __init__(self, args: argparse.Namespace, scratch: Path) -> None:
        self.args = args
        self.scratch = scratch

    def run(self, method: Method, case: Case) -> Result:
        truth, votes = case.files(self.scratch)
        found = Path(tempfile.mkdtemp(dir=self.scratch)) / "found"
        if method.run != "consilience":
            found = found.with_suffix(".npy")
            script = [sys.executable, HERE / "methods.py", method.run]
            command = [*script, votes, found, case.k, method.min_agree, method.max_agree]
        else:
            limits = ["--min-agree", method.min_agree, "--max-agree", method.max_agree]
            command = [self.args.consilience, "pseudo-label", votes, "-k", case.k, *limits]
            command += ["--no-curve", "--out", found, "--quiet", "--json"]
        command = [str(word) for word in command]
        result = measured(command, found, self.args.seconds, self.args.gib * 2**30)
        if not result.failure:
            partial = method.min_agree > 0
            result.scores["labelled" if partial else "all"] = self.score(truth, found)
            if method.run == "consilience":
                result.scores["all"] = self.score(truth, found / "assignments.npy")
        print(f"{method.label}, {case}, n = {case.n:,}: {result.seconds:.2f} s, {result.mib:.0f} MiB",
              result.failure or result.scores, file=sys.stderr, flush=True)  # fmt: skip
        return result

    def score(self, truth: Path, found: Path) -> dict[str, float]:
        return json.loads(python("votes.py", "score", truth, found))

    def climb(self, method: Method, case: Case) -> tuple[int, Result | None, str]:
        """The last size of the grid that a method finished, its result, and what stopped the next."""
        n_best, best = 0, None
        for n in [n for n in GRID if n <= self.args.max_n]:
            result = self.run(method, replace(case, n=n))
            shutil.rmtree(result.found.parent)
            if result.failure:
                return n_best, best, f"{result.failure} at {n:,}"
            n_best, best = n, result
        return n_best, best, "end of the grid"


def figures(results: list[Result], k: int) -> list[str]:
    """Seconds, MiB, ACC of all, ACC of the labelled, their share: means, and the worst ACC."""
    if not results or any(result.failure for result in results):
        return ["–"] * 5
    seconds = mean(result.seconds for result in results)
    accs = []
    for part in ("all", "labelled"):
        found = [result.scores[part]["acc"] for result in results if part in result.scores]
        average, worst = (f"{of(found):.3f}" if found else "–" for of in (mean, min))
        accs.append(average if average == worst else f"{average} (worst {worst})")
    labelled = [result.scores["labelled"] for result in results if "labelled" in result.scores]
    coverage = f"{mean(score['coverage'] for score in labelled):.3f}" if labelled else "–"
    if any(score["clusters"] < k for score in labelled):
        coverage += f" ({min(score['clusters'] for score in labelled):.0f} clusters)"
    mib = mean(result.mib for result in results)
    return [f"{seconds:.2f}" if seconds < 10 else f"{seconds:.0f}", f"{mib:,.0f}", *accs, coverage]


def own_words(result: Result) -> str:
    """What our program itself says of its graph, if it says it."""
    try:
        graph = json.loads(result.stdout)["graph"]
        return f"{graph['signatures']:,} signatures, {graph['seconds']:.2f} s for the graph"
    except (ValueError, KeyError, TypeError):
        return "no word on its graph"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def machine() -> str:
    """The processor, its cores and the memory."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{cpu or platform.machine()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB"


def versions(consilience: Path) -> str:
    """Of all that was compared."""
    found = [f"Python {platform.python_version()}"]
    for name in ("ClusterEnsembles", "kahypar", "pymetis", "numpy", "scipy"):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            found.append(f"{name} not installed")
    try:
        said = subprocess.run([consilience, "--version"], capture_output=True, text=True, check=True)
        return ", ".join([*found, said.stdout.strip()])
    except (OSError, subprocess.CalledProcessError):
        return ", ".join([*found, f"no {consilience.name}"])


def report(bench: Bench) -> str:
    """Runs everything and says it in markdown."""
    args = bench.args
    strict = (args.models, 1)
    loose = (-(-args.models * 6 // 10), args.models * 4 // 10)
    solvers = ("CSPA", "HGPA", "MCLA", "HBGF", "NMF")
    peers = [Method(f"ClusterEnsembles {name}", name.lower()) for name in solvers]
    numpy_, ours = ("numpy, O(n² M)", "agreement"), ("consilience", "consilience")
    case = Case(args.common, args.k, args.models, args.noise)
    noisy = Case(args.common, args.k, args.models, 0.5)
    climbs = [(Method(*numpy_, *strict), case)] + [(peer, case) for peer in peers]
    climbs += [(Method(*ours, *strict), case), (Method(*ours, *loose), case)]
    climbs += [(Method(*ours, *strict), noisy)]

    head = ["seconds", "peak MiB", "ACC, all", "ACC, labelled", "coverage"]
    start, load = time.monotonic(), os.getloadavg()[0]
    rows, words = [], []
    for method, of in climbs:
        n, best, stop = bench.climb(method, of)
        name = method.label if of == case else f"{method.label}, {of}"
        rows.append([name, f"{n:,}" if n else "none", *figures([best] if best else [], args.k), stop])
        if best and method.run == "consilience":
            words.append(f"{name}: {own_words(best)}.")
    title = f"Largest n in {args.seconds:.0f} s and {args.gib} GiB, {case}"
    parts = [f"## {title}", table(["method", "n", *head, "stopped by"], rows), " ".join(words)]

    noises = [replace(case, noise=noise) for noise in (args.noise, 0.3, 0.5)]
    methods = [Method(*numpy_, *strict), Method(*numpy_, *loose), *peers]
    methods += [Method(*ours, *strict), Method(*ours, *loose)]
    for of in [*noises, replace(case, own_k=True)]:
        draws = [replace(of, seed=seed) for seed in range(args.draws)]
        results = {method: [bench.run(method, draw) for draw in draws] for method in methods}
        failures = {m: next((r.failure for r in rs if r.failure), "") for m, rs in results.items()}
        rows = [[m.label, *figures(rs, args.k), failures[m]] for m, rs in results.items()]
        parts += [f"## All at n = {of.n:,}, {of}", table(["method", *head, "failure"], rows)]
        for limits in (strict, loose):
            theirs, mine = results[Method(*numpy_, *limits)], results[Method(*ours, *limits)]
            if not any(result.failure for result in theirs + mine):
                pairs = [(a.found, b.found) for a, b in zip(theirs, mine, strict=True)]
                same = all(json.loads(python("votes.py", "same", *pair)) for pair in pairs)
                text = "the same" if same else "**different**"
                parts.append(f"Pseudo-labels of numpy and of consilience at {limits[0]}/{limits[1]}: {text}.")

    minutes = (time.monotonic() - start) / 60
    about = (
        f"Written by `compare.py`; README.md says what is measured. K = {args.k}, {args.models} models. "
        f"Largest n: one run each; tables of one n: means of {args.draws} draws. "
        f"{minutes:.0f} minutes in all.\n\n"
        f"- {date.today()}, {machine()}, load {load:.1f} before the start\n- {versions(args.consilience)}"
    )
    return "\n\n".join(part for part in ["# Consensus methods side by side", about, *parts] if part) + "\n"


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    program = HERE.parents[1] / "target/release/consilience"
    parser.add_argument("--consilience", type=Path, default=program, metavar="PATH")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--noise", type=float, default=0.1, help="share of votes at random (0.1)")
    parser.add_argument("--common", type=int, default=2000, metavar="N", help="n of the quality tables")
    parser.add_argument("--draws", type=int, default=3, help="sets of votes for each quality table")
    parser.add_argument("--seconds", type=float, default=60, help="limit of a run")
    parser.add_argument("--gib", type=int, default=16, help="limit of a run's address space")
    parser.add_argument("--max-n", type=int, default=GRID[-1], help="where to end the grid")
    parser.add_argument("--out", type=Path, default=HERE / "results.md")
    return parser.parse_args(argv)


def main() -> None:
    args = arguments()
    with tempfile.TemporaryDirectory(prefix="peers-") as scratch:
        text = report(Bench(args, Path(scratch)))
    args.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
