"""What tests share."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import consilience

# Tests on Spark and Ray are run by tools/spark_tests.sh, which installs these.
collect_ignore = [
    folder
    for folder, module in (("spark", "pyspark"), ("ray_data", "ray"))
    if not importlib.util.find_spec(module)
]

#: Training that takes a fraction of a second: enough for groups far apart.
QUICK: dict[str, Any] = {
    "candidates": 0,
    "communities": 0,
    "first": {"epochs": 1, "min_steps": 200, "anneal": False},
    "network": {"hidden": [32]},
}


def quick(n_clusters: Any, **params: Any) -> consilience.Consilience:
    """An estimator that trains for a moment."""
    params = {"n_models": 2, "max_rounds": 1, "preset": "tabular", "settings": QUICK, **params}
    return consilience.Consilience(n_clusters, **params)


def benchmark_file(name: str) -> Path:
    """A benchmark file, in the folder that `CONSILIENCE_DATA` names or in ``../shared/data``; without it the test is skipped.

    With `CI=true` it fails.
    """
    beside = Path(__file__).resolve().parents[3] / "shared/data"
    path = Path(os.environ.get("CONSILIENCE_DATA") or beside) / name
    if not path.is_file():
        reason = f"SKIPPED: no {path}; CONSILIENCE_DATA names the folder of benchmark files"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return path


@pytest.fixture
def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Three groups far apart: 240 samples x 4 features as float64, and the groups."""
    rng = np.random.default_rng(5)
    groups = np.repeat([0, 1, 2], 80)
    centres = np.array([[-9.0, 0, 3, 0], [0, 9, -3, 1], [9, 0, 0, -9]])
    order = rng.permutation(len(groups))
    return (centres[groups] + rng.normal(size=(240, 4)))[order], groups[order]


@pytest.fixture(scope="session")
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command ``consilience`` that the wheel brought; `CONSILIENCE_COMMAND` names another."""
    ours = Path(sysconfig.get_path("scripts")) / "consilience"
    path = os.environ.get("CONSILIENCE_COMMAND") or shutil.which(
        "consilience", path=str(ours.parent)
    )
    assert path, f"no command at {ours}"

    def run(*words: Any, code: int = 0, **options: Any) -> subprocess.CompletedProcess[str]:
        line = [path, *map(str, words)]
        done = subprocess.run(line, capture_output=True, text=True, check=False, **options)
        assert done.returncode == code, (line, done.returncode, done.stdout, done.stderr)
        return done

    return run


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """All files of a folder, by their paths in it."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()
