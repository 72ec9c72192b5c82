"""The recipes of docs/few-labels.md for those who train on exported labels, run as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

PAGE = Path(__file__).parents[2] / "docs" / "few-labels.md"


@pytest.fixture(scope="module")
def exported(command: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the page's commands write, of ten labels of digits."""
    folder = tmp_path_factory.mktemp("exported")
    lines = "".join(f"{digit},{digit}\n" for digit in range(10))
    (folder / "some.csv").write_text(f"sample,label\n{lines}")
    train = ["train", "digits", "--labels-partial", "some.csv", "--method", "propagation"]
    command(*train, "--out", "run", "--quiet", cwd=folder)
    for what in ("soft", "weights"):
        name = {"soft": "soft.npz", "weights": "weighted.npz"}[what]
        command("export", "run", f"--{what}", "--out", name, cwd=folder)
    return folder


def recipes(needed: str) -> list[str]:
    """The page's blocks of Python that need a module."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [block for block in blocks if f"from {needed}" in block or f"import {needed}" in block]


def test_scikit_learn_learns_from_weighted_labels(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(exported)
    (recipe,) = recipes("sklearn")
    data = load_digits()
    half = len(data.data) // 2
    names: dict[str, Any] = {"X": data.data, "X_new": data.data[half:]}
    exec(compile(recipe, str(PAGE), "exec"), names)
    # The page's classes are digits, in order, so clusters are classes.
    assert float(np.mean(names["found"] == data.target[half:])) > 0.9


def test_what_pytorch_is_given_is_what_its_cross_entropy_takes(exported: Path) -> None:
    """PyTorch isn't installed for tests; its loss takes probabilities of the logits' shape and type."""
    (recipe,) = recipes("torch")
    compile(recipe, str(PAGE), "exec")
    with np.load(exported / "soft.npz") as soft:
        assert soft["P"].dtype == np.float32
        assert soft["P"].shape == (1797, 10)
        assert np.allclose(soft["P"].sum(1), 1, atol=1e-5)
