"""Ours and PyTorch's training steps, alternating; writes results.md. See README.md."""

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import date
from importlib import metadata
from pathlib import Path
from statistics import median
from threading import Timer

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TIMEOUT = 600  # seconds, compiling included
CASES = ["vat-im-64", "vat-im-784", "ladder", "ladder-labels", "ladder-vat", "ladder-vat-labels"]
OURS = ["fast", "candle"]  # engines
CANDLE = ["vat-im-784", "ladder"]  # cases that candle is measured with
COLUMNS = ["eager", "eager x2", "compile", "compile x2"]
TABLE = [
    "| case | threads | fast | candle | " + " | ".join(COLUMNS) + " | best of PyTorch | fast / best | candle / eager | mm, GFLOP/s | fast of mm | best of mm |",
    "| --- " * 14 + "|",
]
HEAD = """
# Training steps, ours and PyTorch's

Samples a second, medians of rounds; the ratio is the median of the rounds' own, with the smallest and the largest. `x2`: two
models side by side, a process each with one thread; ours (`fast`, `candle`: the engines) on two threads are two members. `mm`: the step's own products and nothing
else, by `torch.mm`, on each thread products of their own; `of mm`: what share of that rate a step's products reach. README.md says
what a step is.
"""


def build() -> str:
    """The bench's program, built as `cargo bench` does; $TRAIN_STEP names one that is there."""
    if "TRAIN_STEP" in os.environ:
        return os.environ["TRAIN_STEP"]
    command = ["cargo", "bench", "--locked", "--no-run", "--bench", "train_step", "--message-format", "json"]
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    messages = (json.loads(line) for line in lines)
    return next(m["executable"] for m in messages if m.get("target", {}).get("name") == "train_step" and m.get("executable"))


class Contestant:
    """A command that is measured again and again: ours is run anew, PyTorch's is kept, as it compiles first."""

    def __init__(self, command: list[object], kept: bool):
        self.command = list(map(str, command))
        # So that large temporaries keep their pages, as ours do with mimalloc.
        malloc = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**32)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(self.command, env=os.environ | malloc, **pipes) if kept else None

    def order(self):
        if self.process:
            self.process.stdin.write("\n")
            self.process.stdin.flush()

    def answer(self) -> dict:
        if not self.process:
            run = subprocess.run(self.command, check=True, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT)
            return json.loads(run.stdout)
        # A worker that died would keep its siblings waiting for ever.
        timer = Timer(TIMEOUT, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if not line:
            sys.exit(f"no answer within {TIMEOUT} s: {' '.join(self.command)}")
        return json.loads(line)

    def measure(self) -> dict:
        self.order()
        return self.answer()

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()


def rounds(commands: dict[str, list[object]], n: int) -> dict[str, list[dict]]:
    """Every command's answers, round by round; who goes first changes. The first round only warms up."""
    contestants = {name: Contestant(command, kept=name not in OURS) for name, command in commands.items()}
    for contestant in contestants.values():
        contestant.order()
    for contestant in contestants.values():
        contestant.answer()
    answers = {name: [] for name in commands}
    for turn in range(n):
        names = list(commands)
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            answers[name].append(contestants[name].measure())
    for contestant in contestants.values():
        contestant.close()
    return answers


def row(case: str, threads: int, answers: dict[str, list[dict]]) -> str:
    """A line of the table. Ratios are of the same round; then the median."""
    rates = {name: [answer["samples_per_second"] for answer in found] for name, found in answers.items()}
    middle = {name: median(found) for name, found in rates.items()}
    best = max((name for name in rates if name not in (*OURS, "mm")), key=middle.get)
    ratios = [ours / theirs for ours, theirs in zip(rates["fast"], rates[best])]
    shares = {name: median(a / b for a, b in zip(rates[name], rates["mm"])) for name in ("fast", best)}
    of_eager = [median(a / b for a, b in zip(rates["candle"], rates["eager"]))] if "candle" in rates else []
    cells = [case, threads]
    cells += [f"{middle[name]:,.0f}" if name in middle else "" for name in OURS + COLUMNS]
    cells += [best, f"**{median(ratios):.2f}** ({min(ratios):.2f}–{max(ratios):.2f})"]
    cells += ["".join(f"**{ratio:.2f}**" for ratio in of_eager)]
    cells += [f"{median(answer['gflops'] for answer in answers['mm']):,.0f}"]
    cells += [f"{share:.0%}" for share in shares.values()]
    return "| " + " | ".join(map(str, cells)) + " |"


def contestants(program: str, case: str, threads: int, seconds: float) -> dict[str, list[object]]:
    """Commands by name; PyTorch's own may use threads inside a model, or train a model on each."""
    def torch(mode, processes=1):
        options = ["--mode", mode, "--threads", threads, "--processes", processes]
        return [sys.executable, HERE / "train_step.py", case, *options, "--seconds", seconds, "--serve"]

    engines = OURS if case in CANDLE else OURS[:1]
    found = {engine: [program, "--json", case, threads, seconds, engine] for engine in engines}
    for mode in ("eager", "compile"):
        found[mode] = torch(mode)
        if threads > 1:
            found[f"{mode} x{threads}"] = torch(mode, threads)
    found["mm"] = torch("mm", threads)  # on each thread products of their own
    return found


def cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def said(command: list[str]) -> str:
    answer = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return answer.strip() or "unknown"


def ticks() -> tuple[int, int]:
    """Of all processors since the machine's start: stolen by its host, and all."""
    found = list(map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9]))
    return found[7], sum(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of measuring, a contestant and round")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--out", type=Path, default=HERE / "results.md")
    arguments = parser.parse_args()
    program, load, before = build(), os.getloadavg()[0], ticks()
    rows = []
    for threads in arguments.threads:
        for case in arguments.cases:
            commands = contestants(program, case, threads, arguments.seconds)
            if arguments.no_compile:
                commands = {name: command for name, command in commands.items() if "compile" not in name}
            rows.append(row(case, threads, rounds(commands, arguments.rounds)))
            print(rows[-1], flush=True)
    stolen, all_ticks = (after - start for after, start in zip(ticks(), before))
    facts = [
        f"{date.today()}; {cpu()}, {os.cpu_count()} processors, {platform.system()} {platform.release()}",
        f"commit {said(['git', 'rev-parse', '--short', 'HEAD'])}; {said(['rustc', '--version'])}",
        f"torch {metadata.version('torch')}, Python {platform.python_version()}",
        f"load before the run {load:.2f}; {stolen / all_ticks:.1%} of the time stolen by the host",
        f"{arguments.rounds} rounds of {arguments.seconds:g} s each",
    ]
    arguments.out.write_text("\n".join([HEAD.strip(), "", *(f"- {fact}" for fact in facts), "", *TABLE, *rows, ""]))


if __name__ == "__main__":
    main()
