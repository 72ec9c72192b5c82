"""From measured rates to the time and the shuffles of large tables, by arithmetic.

python plan.py FOLDER [--width 384] [--cores 8,64,256,1024]

FOLDER holds what measure.py wrote: rates.json and, if there is one, growth.json. A step takes its rows divided by its rate and the
cores, rounded up to whole tasks; steps follow one another. The rates are those of one executor with one core; what they say of two is
compared with what two took. Rates are of cores' seconds, so that other work on the machine doesn't count; what is compared is by the clock. Shuffles are
bounds, before compression.
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


def rates(measured: dict[str, Any], of: str = "cpu") -> dict[str, float]:
    """Rows a second a core of each step, of one executor. `of`: cores' seconds, or the clock's (`wall`)."""
    return {step: measured["rows"] / measured["spark"]["1"][step][of] for step in STEPS}


def exponent(points: list[dict[str, int]], kind: str) -> tuple[float, float]:
    """`a`, `b` of signatures = a rows^b, by least squares of logarithms."""
    pairs = [(math.log(point["rows"]), math.log(point[kind])) for point in points if point[kind]]
    n = len(pairs)
    mean_x, mean_y = (sum(pair[axis] for pair in pairs) / n for axis in (0, 1))
    over = sum((x - mean_x) * (y - mean_y) for x, y in pairs)
    b = over / sum((x - mean_x) ** 2 for x, _ in pairs)
    return math.exp(mean_y - b * mean_x), b


def plan(
    measured: dict[str, Any],
    rows: float,
    cores: int,
    signatures: float,
    task: int = TASK,
    of: str = "cpu",
) -> Plan:
    """What `rows` take on so many cores."""
    tasks = math.ceil(rows / task)
    # The last tasks run while other cores have none.
    waves = math.ceil(tasks / cores) * min(task, rows)
    seconds = {step: waves / rate for step, rate in rates(measured, of).items()}
    seconds["extract"] = measured["spark"]["1"]["extract"][of]
    return Plan(
        seconds=seconds,
        ids_bytes=rows * ID_ROW,
        counts_bytes=min(tasks * signatures, rows) * COUNT_ROW,
        labels_bytes=signatures * LABEL_ROW * math.ceil(cores / CORES_OF_EXECUTOR),
    )


def check(measured: dict[str, Any]) -> list[str]:
    """Two executors, as planned from one, beside what they took."""
    rows, lines = measured["rows"], []
    for cores in (1, 2):
        # As many tasks as there are cores, all alike.
        planned = plan(measured, rows, cores, 0, math.ceil(rows / cores), "wall").total
        took = sum(step["wall"] for step in measured["spark"][str(cores)].values())
        cpu = [
            sum(step["cpu"] for step in measured["spark"][of].values()) for of in ("1", str(cores))
        ]
        lines.append(
            f"{cores} executor(s): planned {planned:.0f} s, took {took:.0f} s ({planned / took - 1:+.0%}); cores' seconds: "
            f"planned {cpu[0]:.0f}, took {cpu[1]:.0f}"
        )
    return lines


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
    measured = json.loads((args.folder / "rates.json").read_text())
    alone = measured["rows"] / measured["alone"]["cpu"]
    print(f"one process: {alone:,.0f} rows a second a core")
    for step, rate in rates(measured).items():
        print(f"{step}: {rate:,.0f} rows a second a core")
    share = rates(measured)["predict"] / alone
    clock = measured["alone"]["wall"] / measured["spark"]["1"]["predict"]["wall"]
    print(f"predict on Spark beside one process: {share:.2f}; by the clock {clock:.2f}")
    print(*check(measured), sep="\n")
    growth = args.folder / "growth.json"
    points = json.loads(growth.read_text()) if growth.exists() else []
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
