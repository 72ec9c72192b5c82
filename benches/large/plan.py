"""From measured rates to the time and the shuffles of large tables, by arithmetic.

python plan.py FOLDER [--width 384] [--cores 8,64,256,1024]

FOLDER holds what measure.py wrote: rates.json and, where there are, growth.json and check.json. A step takes its start, and its rows divided by its
rate and the cores, rounded up to whole tasks; steps follow one another. Start and rate are those of one executor with one core, the rate that of rows which it does for the
second time: what they took longer the first time belongs to the start, as each executor compiles once. Rates are of cores' seconds, so that other work on the machine
doesn't count.

check.json has what larger tables took on one executor and on two; it is compared with what the rates say of them. Shuffles are bounds, before
compression.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Rows that a task has, about: 128 MB of Parquet, with vectors of 384 numbers.
TASK = 80_000
# Bytes of a row in a shuffle: eight for what is missing, and eight for each number in it.
ID_ROW, COUNT_ROW, LABEL_ROW = 8 + 2 * 8, 8 + 4 * 8, 8 + 4 * 8
# Steps whose time goes with the rows.
STEPS = ("ids", "predict", "count", "label")
CORES_OF_EXECUTOR = 4


@dataclass(frozen=True)
class Plan:
    """What a table of so many rows takes: seconds by step, and bytes that are sent."""

    seconds: dict[str, float]
    ids_bytes: float
    counts_bytes: float
    labels_bytes: float

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def per_row(measured: dict[str, Any], step: str, of: str) -> float:
    """Seconds a row of a step on one executor that has compiled it, without its start: 0 if its rows took no longer than a few do. `of`: cores' seconds (`cpu`), or the
    clock's (`wall`)."""
    rows = measured["rows"] - measured["small"]
    return max(measured["spark"][step][of] - measured["start"][step][of], 0.0) / rows


def rate(measured: dict[str, Any], step: str) -> str:
    seconds = per_row(measured, step, "cpu")
    return f"{1 / seconds:,.0f} rows a second a core" if seconds > 0 else "too quick to be measured on so few rows"


def start(measured: dict[str, Any]) -> dict[str, float]:
    """Seconds by the clock that each step takes whatever the rows: the driver's work, that of starting tasks, and what rows took longer the first
    time, while an executor's JVM compiled what it ran."""
    seconds = {}
    for step, few in measured["start"].items():
        compiling = measured["first"][step]["wall"] - measured["spark"][step]["wall"]
        seconds[step] = few["wall"] + (max(compiling, 0.0) if step in STEPS else 0.0)
    return seconds


def exponent(points: list[dict[str, int]], kind: str) -> tuple[float, float]:
    """`a`, `b` of signatures = a rows^b, by least squares of logarithms."""
    pairs = [(math.log(point["rows"]), math.log(point[kind])) for point in points if point[kind]]
    n = len(pairs)
    mean_x, mean_y = (sum(pair[axis] for pair in pairs) / n for axis in (0, 1))
    over = sum((x - mean_x) * (y - mean_y) for x, y in pairs)
    b = over / sum((x - mean_x) ** 2 for x, _ in pairs)
    return math.exp(mean_y - b * mean_x), b


def plan(measured: dict[str, Any], rows: float, cores: int, signatures: float) -> Plan:
    """What `rows` take on so many cores."""
    tasks = math.ceil(rows / TASK)
    # The last tasks run while other cores have none.
    waves = math.ceil(tasks / cores) * min(TASK, rows)
    seconds = start(measured)
    for step in STEPS:
        seconds[step] += waves * per_row(measured, step, "cpu")
    return Plan(
        seconds=seconds,
        ids_bytes=rows * ID_ROW,
        counts_bytes=min(tasks * signatures, rows) * COUNT_ROW,
        labels_bytes=signatures * LABEL_ROW * math.ceil(cores / CORES_OF_EXECUTOR),
    )


def on_this_machine(measured: dict[str, Any], rows: int, executors: int) -> dict[str, float]:
    """Seconds by the clock of each step, with executors of one task each on the machine that was measured.

    An executor takes more than one core, as its JVM and its Python work at the same time. So what bounds a step is either the executors, each of
    which takes as long for a row as one took, or the machine's cores, which have to do the work of all. Cores that work at the same
    time are slower than one that works alone (memory, other work): by how much, processes without Spark tell.
    """
    slower = 1.0
    if executors > 1:
        slower = measured["together"][str(executors)]["wall"] / measured["alone"]["wall"]
    seconds = start(measured)
    for step in STEPS:
        by_executors = per_row(measured, step, "wall") / executors
        by_cores = per_row(measured, step, "cpu") / measured["cores"]
        seconds[step] += rows * slower * max(by_executors, by_cores)
    return seconds


def check(measured: dict[str, Any], checks: dict[str, Any]) -> list[str]:
    """What larger tables took, beside what is planned for them."""
    lines = []
    for executors, found in checks.items():
        planned = on_this_machine(measured, found["rows"], int(executors))
        took = {step: seconds["wall"] for step, seconds in found["spark"].items()}
        total, other = sum(took.values()), sum(step["other"] for step in found["spark"].values())
        lines.append(
            f"{found['rows']:,} rows on {executors} executor(s): planned {sum(planned.values()):.0f} s, took {total:.0f} s "
            f"({sum(planned.values()) / total - 1:+.0%}); other work took {other / total:.1f} cores meanwhile"
        )
        lines.append("  " + ", ".join(f"{step} {planned[step]:.0f}/{took[step]:.0f}" for step in took))
    return lines


def beside(rows: int, alone: dict[str, float], spark: dict[str, float]) -> str:
    """Rows a second of predict in one process and on Spark."""
    rates = " and ".join(f"{rows / seconds['cpu']:,.0f}" for seconds in (alone, spark))
    return f"predict of {rows:,} rows: {rates} rows a second a core, on Spark {alone['cpu'] / spark['cpu']:.2f} of one process"


def read(path: Path) -> Any:
    return json.loads(path.read_text()) if path.exists() else {}


def span(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def size(number: float) -> str:
    for unit, length in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= length:
            return f"{number / length:.1f} {unit}"
    return f"{number:.0f} B"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--width", type=int, default=384, help="numbers of a vector, for the size of the table"
    )
    parser.add_argument("--cores", default="8,64,256,1024")
    args = parser.parse_args()
    measured = read(args.folder / "rates.json")
    for step in STEPS:
        print(f"{step}: {rate(measured, step)}, after {start(measured)[step]:.1f} s")
    predicts = [(measured["rows"], measured["alone"], measured["spark"]["predict"])]
    checks = read(args.folder / "check.json")
    predicts += [(found["rows"], found["alone"], found["spark"]["predict"]) for found in checks.values()]
    print(*[beside(*predict) for predict in predicts], sep="\n")
    clock = measured["alone"]["wall"] / measured["spark"]["predict"]["wall"]
    print(f"by the clock, one executor: {clock:.2f} of one process")
    print(*check(measured, checks), sep="\n")
    points = read(args.folder / "growth.json")
    a, b = exponent(points, "gate") if points else (1000.0, 0.0)
    print(
        f"signatures behind the gate: {a:.3g} rows^{b:.2f}"
        if points
        else "signatures: 1,000, as no growth was measured"
    )
    print(
        "\n| rows | table | signatures | cores | time | shuffle of ids | of counts | labels sent |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for power in range(7, 11):
        rows, signatures = 10.0**power, a * 10.0 ** (power * b)
        for cores in map(int, args.cores.split(",")):
            found = plan(measured, rows, cores, signatures)
            cells = [
                f"1e{power}",
                size(rows * args.width * 4),
                f"{signatures:,.0f}",
                str(cores),
                span(found.total),
            ]
            cells += [
                size(sent) for sent in (found.ids_bytes, found.counts_bytes, found.labels_bytes)
            ]
            print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
