"""The same answers as the command line's, on real data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import benchmark_file
from sklearn.datasets import load_digits

from consilience import Consilience

#: Enough for twenty clusters, and few enough for seconds.
ROWS = 600


def digits(folder: Path) -> tuple[str, Any, int]:
    """What the command line calls them; the array; how many clusters."""
    X = load_digits().data[:ROWS]
    np.save(folder / "digits.npy", X)
    return "digits.npy", X, 10


def minilm(folder: Path) -> tuple[str, Any, int]:
    """Half-precision numbers in an archive, with labels beside them, as the whole file has them."""
    with np.load(benchmark_file("20newsgroups/20news-minilm384.npz")) as whole:
        # Sorted by kind: one of every thirty.
        X, y = whole["X"][::30][:ROWS], whole["y"][::30][:ROWS]
    np.savez(folder / "minilm.npz", X=X, y=y)
    return "minilm.npz", X, 20


@pytest.mark.parametrize("data", [digits, minilm])
def test_answers_are_the_command_lines(data: Any, command: Any, tmp_path: Path) -> None:
    name, X, k = data(tmp_path)
    words = ("-k", k, "--effort", "quick", "--seed", 3, "--out", "theirs", "--quiet")
    command("cluster", name, *words, cwd=tmp_path)
    theirs = Consilience.load(tmp_path / "theirs")
    ours = Consilience(k, effort="quick", random_state=3).fit(X)
    assert len(ours.labels_) == len(X) and (ours.pseudo_labels_ >= 0).any()
    for answer in ("labels_", "confidences_", "pseudo_labels_", "agreement_", "margin_", "votes_"):
        assert getattr(ours, answer).tobytes() == getattr(theirs, answer).tobytes(), answer
    assert (theirs.predict(X) == ours.labels_).all()
