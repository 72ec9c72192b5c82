"""The results file: one JSON object a line, only ever appended to. And which of its lines count."""

import json
import os
import random
import subprocess
from pathlib import Path

from plan import HERE, ROOT

Line = dict  # what a run was, and what came of it
OURS = "consilience"
FILE = HERE / "results.jsonl"
# What the program is made of. Commits that touch nothing else leave earlier runs valid.
SOURCES = ["src", "data", "ensembles", "graph", "Cargo.toml", "Cargo.lock"]
MOST = 99_999  # the largest seed that is drawn


def read(path: Path = FILE) -> list[Line]:
    if not path.exists():
        return []
    lines = []
    for number, text in enumerate(path.read_text().splitlines(), 1):
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError as error:
            raise SystemExit(f"{path.name}, line {number}: not JSON ({error})") from None
    return lines


def append(line: Line, path: Path = FILE) -> None:
    """On disk before the next run starts, so that an interruption loses nothing."""
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())


def git(*words: str) -> str:
    try:
        command = ["git", "-C", str(ROOT), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def commit() -> str:
    """The last commit that changed what the program is made of, '+dirty' if something is changed since."""
    found = git("log", "-1", "--format=%H", "--", *SOURCES)[:12] or "unknown"
    return found + "+dirty" * bool(git("status", "--porcelain", "--", *SOURCES))


def failed(line: Line) -> bool:
    return bool(line.get("failure"))


def ours(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line["method"] == OURS]


def is_done(lines: list[Line], new: Line) -> bool:
    """Whether this run of ours is in the file. Of changed sources only the program itself can tell."""
    names = ["commit", "set", "setting", "seed"] + ["program"] * new["commit"].endswith("+dirty")
    return any(all(line[name] == new[name] for name in names) for line in ours(lines))


def drawn(lines: list[Line], data_set: str, n: int) -> list[int]:
    """Seeds from the system's entropy that no run of the set had."""
    used = {line["seed"] for line in ours(lines) if line["set"] == data_set}
    return random.SystemRandom().sample([seed for seed in range(1, MOST + 1) if seed not in used], n)


def latest(lines: list[Line]) -> list[Line]:
    """Of runs made again, the last."""
    names = ("method", "set", "setting", "seed")
    return list({tuple(line.get(name) for name in names): line for line in lines}.values())


def newest_commit(lines: list[Line]) -> str | None:
    """Of the runs that are final, the one with the latest."""
    final = [line for line in ours(lines) if line["purpose"] == "final"]
    return max(final, key=lambda line: line["date"])["commit"] if final else None


def finals(lines: list[Line], at: str | None, data_set: str, setting: str) -> list[Line]:
    """Our final runs of a commit, given by its first letters; failed ones too."""
    found = [line for line in ours(lines) if line["purpose"] == "final" and at and line["commit"].startswith(at)]
    return latest([line for line in found if (line["set"], line["setting"]) == (data_set, setting)])


def of_peer(lines: list[Line], method: str, data_set: str) -> list[Line]:
    return latest([line for line in lines if (line["method"], line["set"]) == (method, data_set)])


def looked_at_before(lines: list[Line], final: Line) -> bool:
    """Whether a score of this set and seed was in the file before, for tuning or of another commit."""
    earlier = [line for line in ours(lines[: lines.index(final)]) if not failed(line)]
    same = [line for line in earlier if (line["set"], line["seed"]) == (final["set"], final["seed"])]
    return any(line["purpose"] != "final" or line["commit"] != final["commit"] for line in same)
