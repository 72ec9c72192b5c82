"""Runs data sets x settings x seeds, keeps every score, and makes tables of them. See README.md."""

import argparse
import contextlib
import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import report
import results
from plan import PEERS, PEERS_FOLDER, ROOT, SETS, SETTINGS, data_folder, peer_seeds
from results import OURS, Line

PYTHON = PEERS_FOLDER / ".venv" / "bin" / "python"
FULL_TABLES, SHORT_TABLE = ROOT / "docs" / "results.md", ROOT / "README.md"


def say(*words: object) -> None:
    print(*words, file=sys.stderr, flush=True)


def machine() -> str:
    """The processor, its cores and the memory."""
    try:
        info = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        info = []
    cpu = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB"


@dataclass
class Finished:
    """A process that ended: what it used and said."""

    status: int
    stdout: str
    stderr: str
    seconds: float
    cpu_seconds: float
    mib: float
    timed_out: bool

    def last_words(self) -> str:
        said = self.stderr.strip().splitlines()
        return said[-1] if said else f"exit status {self.status}"


def measured(command: list[str], limit: float | None = None) -> Finished:
    """Runs a command, measured from outside. It and its children end with this process, or at the limit."""
    timed_out = threading.Event()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.monotonic()
        child = subprocess.Popen(command, stdout=out, stderr=err, start_new_session=True)
        killer = threading.Timer(limit or 0, lambda: (timed_out.set(), os.killpg(child.pid, signal.SIGKILL)))
        if limit:
            killer.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            raise
        finally:
            killer.cancel()
        seconds = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        used = usage.ru_utime + usage.ru_stime
        mib = usage.ru_maxrss / 1024
        return Finished(child.returncode, out.read(), err.read(), seconds, used, mib, timed_out.is_set())


def started(args: argparse.Namespace, **what: object) -> Line:
    """The part of a line that is known before the run. The load tells whether the machine was idle."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    load = round(os.getloadavg()[0], 2)
    common = {"date": now, "machine": machine(), "load": load, "threads": args.threads, "note": args.note}
    return {**what, **common}


def ended(line: Line, of: Finished) -> Line:
    cost = {"seconds": of.seconds, "cpu_seconds": of.cpu_seconds, "mib": of.mib}
    return {**line, **{name: round(value, 2) for name, value in cost.items()}, "exit": of.status}


def scores_of(metrics: dict) -> Line:
    """What is kept of metrics.json."""
    labels = metrics["pseudo_labels"]
    rounds = metrics["rounds"]
    return {
        "acc": metrics["acc"],
        "nmi": metrics["nmi"],
        "ari": metrics["ari"],
        "coverage": 1.0,  # every sample has a cluster
        "n_clusters": metrics["n_clusters"],
        "complete": metrics["complete"],
        "pseudo_labels": {"coverage": labels["coverage"], "acc": labels["acc"]},
        "stop": metrics["stop"],
        "first_round_acc": rounds[0]["ensemble_acc"],
        "round_accs": [of["ensemble_acc"] for of in rounds],
        "round_coverages": [of["pseudo_labels"]["coverage"] for of in rounds],
        "round_precisions": [of["pseudo_labels"]["acc"] for of in rounds],
        "member_accs": [of["acc"] for of in rounds[-1]["models"]],
        "chosen": metrics["chosen"],
        "answers": metrics["answers"],
    }


def precision_by_confidence(run: Path, data_set: str, folder: Path | None) -> dict | None:
    """See confidence.py; None if the peers are not installed, or it failed."""
    if not PYTHON.exists():
        say("MISSING: precision by the models' own confidences needs the peers' setup.sh")
        return None
    command = [str(PYTHON), str(PEERS_FOLDER / "confidence.py"), str(run), data_set]
    found = measured(command + (["--data", str(folder)] if folder else []))
    if found.status != 0:
        say(f"MISSING: precision by the models' own confidences: {found.last_words()}")
        return None
    return json.loads(found.stdout)


class Runner:
    """Runs our program, and appends what comes of it to the results file."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.folder = data_folder(args.data)
        self.program = str(args.program.resolve())
        if not args.program.is_file():
            raise SystemExit(f"no program {args.program}: build it (cargo build --release --locked) or give --program")
        said = measured([self.program, "--version"])
        digest = hashlib.sha256(args.program.read_bytes()).hexdigest()[:12]
        self.identity = {"version": said.stdout.strip(), "commit": results.commit(), "program": digest}
        if args.purpose == "final" and self.identity["commit"].endswith("+dirty"):
            raise SystemExit("final runs are of a commit: commit the program's sources first")

    def command(self, data_set: str, setting: str, seed: int, out: Path) -> list[str]:
        chosen = SETTINGS[setting]
        words = [self.program, "cluster", *SETS[data_set].arguments(self.folder, chosen.k), "--seed", str(seed)]
        words += ["--json", "--quiet", "--threads", str(self.args.threads), "--out", str(out), *chosen.arguments]
        if chosen.toml:
            config = out.parent / "config.toml"
            config.write_text(chosen.toml)
            words += ["--config", str(config)]
        return words

    def run(self, data_set: str, setting: str, seed: int) -> Line | None:
        """None if the run is in the file."""
        what = {"method": OURS, **self.identity, "set": data_set, "setting": setting, "seed": seed}
        line = started(self.args, **what, purpose=self.args.purpose)
        if not self.args.again and results.is_done(results.read(), line):
            say(f"{data_set}, {setting}, seed {seed}: in {results.FILE.name}")
            return None
        with tempfile.TemporaryDirectory(prefix="accuracy-") as scratch:
            out = self.run_folder(Path(scratch), data_set, setting, seed)
            found = measured(self.command(data_set, setting, seed, out))
            line = ended(line, found)
            if found.status in (0, 1) and found.stdout:
                line |= scores_of(json.loads(found.stdout)) | {"failure": None}
                line["confidence"] = precision_by_confidence(out, data_set, self.folder)
            else:
                line["failure"] = found.last_words()
        results.append(line)
        say(f"{data_set}, {setting}, seed {seed}: {in_short(line)}")
        return line

    def run_folder(self, scratch: Path, data_set: str, setting: str, seed: int) -> Path:
        if not self.args.keep:
            return scratch / "run"
        self.args.keep.mkdir(parents=True, exist_ok=True)
        return self.args.keep / f"{data_set}-{setting}-{seed}-{datetime.now(UTC):%Y%m%dT%H%M%S}"


def in_short(line: Line) -> str:
    if line["failure"]:
        return f"FAILED: {line['failure']}"
    labels = line.get("pseudo_labels")
    more = f", pseudo-labels {labels['acc'] or 0:.4f} on {labels['coverage']:.3f}" if labels else ""
    few = "" if line.get("complete", True) else ", fewer than K mini-clusters"
    return f"ACC {line['acc']:.4f}{more}{few}, {line['seconds']:.1f} s"


def run(args: argparse.Namespace) -> int:
    """All seeds of a set before the next set; all settings of a seed side by side."""
    runner = Runner(args)
    lines = []
    for data_set in args.sets:
        seeds = args.seeds or results.drawn(results.read(), data_set, args.draw)
        if args.draw:
            print(f"{data_set}: --seeds {','.join(map(str, seeds))}", flush=True)
        lines += [runner.run(data_set, setting, seed) for seed in seeds for setting in args.settings]
    return 1 if any(line and line["failure"] for line in lines) else 0


def peer(args: argparse.Namespace, method: str, data_set: str, seed: int) -> Line:
    """Runs one and appends what comes of it. `seconds` are the method's own; `process_seconds` have its imports too."""
    folder = data_folder(args.data)
    line = started(args, method=method, set=data_set, seed=seed, purpose="final")
    command = [str(PYTHON), str(PEERS_FOLDER / "peers.py"), method, data_set, "--seed", str(seed)]
    command += ["--threads", str(args.threads)] + (["--data", str(folder)] if folder else [])
    found = measured(command, args.limit)
    line = ended(line, found)
    if found.timed_out:
        line["failure"] = f"timed out after {args.limit:,.0f} s"
    elif found.status != 0:
        line["failure"] = found.last_words()
    else:
        line |= {"process_seconds": line["seconds"], **json.loads(found.stdout), "failure": None}
    results.append(line)
    say(f"{method}, {data_set}, seed {seed}: {in_short(line)}")
    return line


def peers(args: argparse.Namespace) -> int:
    if not PYTHON.exists():
        raise SystemExit("the peers are not installed: run their setup.sh first")
    lines = []
    for data_set in args.sets:
        for method in args.methods:
            for seed in args.seeds or peer_seeds(method, data_set):
                done = any(line["seed"] == seed for line in results.of_peer(results.read(), method, data_set))
                if args.again or not done:
                    lines.append(peer(args, method, data_set, seed))
    return 1 if any(line["failure"] for line in lines) else 0


def table(args: argparse.Namespace) -> int:
    lines = results.read()
    text, short = report.table(lines, args.commit, args.settings), report.short_table(lines, args.commit)
    if args.write:
        report.write(text, FULL_TABLES)
        report.write(short, SHORT_TABLE)
    else:
        print(f"{short}\n\n{text}")
    return 0


def confidences(args: argparse.Namespace) -> int:
    lines = results.read()
    print(report.trust_table(lines, report.full_commit(lines, args.commit), args.settings))
    return 0


def check(args: argparse.Namespace) -> int:
    met, text = report.check(results.read(), args.commit)
    print(text)
    return 0 if met else 1


def names(known: dict) -> Callable[[str], list[str]]:
    """Reads a list with commas of known names."""

    def listed(text: str) -> list[str]:
        found = text.split(",")
        for name in found:
            if name not in known:
                raise argparse.ArgumentTypeError(f"no {name!r} among {', '.join(known)}")
        return found

    return listed


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(function: Callable[[argparse.Namespace], int], about: str) -> argparse.ArgumentParser:
        found = commands.add_parser(function.__name__, help=about, description=about)
        found.set_defaults(function=function)
        return found

    def running(of: argparse.ArgumentParser, threads: int) -> None:
        of.add_argument("--data", metavar="DIR", help="folder of the benchmark files (or $CONSILIENCE_DATA)")
        of.add_argument("--sets", type=names(SETS), default=list(SETS), metavar="A,B", help=", ".join(SETS))
        of.add_argument("--threads", type=int, default=threads, metavar="N", help=f"({threads})")
        of.add_argument("--again", action="store_true", help="also what is in the results file")
        of.add_argument("--note", default="", help="kept with the results")

    runs = command(run, "run our program, and keep the scores")
    running(runs, 2)
    runs.add_argument("--program", type=Path, default=ROOT / "target" / "release" / "consilience", metavar="PATH")
    runs.add_argument("--settings", type=names(SETTINGS), default=["auto"], metavar="A,B", help=", ".join(SETTINGS))
    seeds = runs.add_mutually_exclusive_group(required=True)
    seeds.add_argument("--seeds", type=numbers, metavar="1,2,3")
    seeds.add_argument("--draw", type=int, metavar="N", help="draw as many new seeds for each set")
    runs.add_argument("--purpose", choices=("tuning", "final"), default="tuning")
    runs.add_argument("--keep", type=Path, metavar="DIR", help="keep the run folders here")

    others = command(peers, "run the other methods, and keep their scores")
    running(others, 1)
    others.add_argument("--methods", type=names(PEERS), default=list(PEERS), metavar="A,B", help=", ".join(PEERS))
    others.add_argument("--seeds", type=numbers, metavar="1,2,3", help="instead of those of plan.py")
    others.add_argument("--limit", type=float, default=1200, metavar="SECONDS", help="of one run (1200)")

    tables = command(table, "print the tables of README.md and docs/results.md")
    tables.add_argument("--write", action="store_true", help="put them between the markers of these files")
    trust = command(confidences, "print precision by agreement and by the models' own confidences")
    checks = command(check, "say which marks are met; exit code 1 if one is not")
    for of in (tables, trust, checks):
        of.add_argument("--commit", help="of the final runs to take (that of the newest)")
    for of in (tables, trust):
        of.add_argument("--settings", type=names(SETTINGS), default=["auto"], metavar="A,B", help="rows of ours")
    return parser.parse_args(argv)


def main() -> int:
    args = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else a killed command leaves its child running
    try:
        return args.function(args)
    except KeyboardInterrupt:
        say("interrupted; what was done is kept, and the same command goes on (for --draw with the --seeds printed)")
        return 130


if __name__ == "__main__":
    sys.exit(main())
