"""Votes, scores and numbers of clusters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from conftest import quick
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from consilience import evaluate, k_range, pseudo_label


@pytest.fixture
def votes(blobs: Any) -> list[np.ndarray]:
    """Votes of four k-means on 240 samples, of which one has another number of clusters."""
    X, _ = blobs
    return [
        KMeans(k, n_init=3, random_state=seed).fit_predict(X) for seed, k in enumerate([3, 3, 4, 3])
    ]


def test_votes_become_labels(blobs: Any, votes: Any) -> None:
    found = pseudo_label(votes, 3, min_agree=0.75)
    assert evaluate(blobs[1], found.labels).acc > 0.98
    assert found.complete and found.n_models == 4 and 0.9 < found.coverage <= 1.0
    assert found.diversity is not None and 0.5 < found.diversity <= 1.0
    labelled = found.pseudo_labels >= 0
    assert (found.pseudo_labels[labelled] == found.labels[labelled]).all()


def test_the_form_of_votes_does_not_matter(votes: Any) -> None:
    expected = pseudo_label(votes, 3)
    names = [f"model{index}" for index in range(4)]
    words = [np.array(["red", "green", "blue", "grey"])[model] for model in votes]
    for same in (
        np.array(votes),
        np.array(votes, np.uint8),
        [model + 1000.0 for model in votes],
        dict(zip(names, votes)),
        pd.DataFrame(dict(zip(names, votes))),
        pl.DataFrame(dict(zip(names, votes))),
        words,
        [pd.Series(model) for model in words],
    ):
        found = pseudo_label(same, 3, n_jobs=1)
        assert np.array_equal(found.labels, expected.labels)
        assert np.array_equal(found.pseudo_labels, expected.pseudo_labels)


def test_the_command_line_says_the_same(votes: Any, command: Any, tmp_path: Path) -> None:
    votes[0][:5] = -1
    np.save(tmp_path / "votes.npy", np.array(votes))
    command("pseudo-label", "votes.npy", "-k", 3, "--out", "run", "--quiet", cwd=tmp_path)
    found = pseudo_label(votes, 3)
    assert np.array_equal(np.load(tmp_path / "run/assignments.npy"), found.labels)
    table = pd.read_csv(tmp_path / "run/pseudo_labels.csv")
    assert np.array_equal(np.flatnonzero(found.pseudo_labels >= 0), table["sample"])
    for name, ours in (
        ("label", found.pseudo_labels), ("agreement", found.agreement), ("margin", found.margin)
    ):  # fmt: skip
        assert np.array_equal(ours[table["sample"]], table[name]), name
    all_samples = pd.read_csv(tmp_path / "run/assignments.csv")
    assert np.array_equal(all_samples["confidence"].astype(np.float32), found.confidences)


def test_missing_votes_and_confidences() -> None:
    first = [0, 0, 0, 1, 1, np.nan]
    second = ["a", "a", "a", "b", "b", None]
    found = pseudo_label([first, second], 2)
    assert found.labels[-1] == -1 and found.confidences[-1] == 0 and found.complete
    sure = np.ones((2, 6))
    sure[1, 0] = 0.3
    unsure = pseudo_label([first, second], 2, confidences=sure)
    assert unsure.pseudo_labels[0] == -1 and unsure.pseudo_labels[1] == found.pseudo_labels[1]


def test_fewer_mini_clusters_are_warned_of() -> None:
    with pytest.warns(ConvergenceWarning, match="only 2 of 3"):
        found = pseudo_label([[0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 0, 1]], 3)
    assert not found.complete


@pytest.mark.parametrize(
    ("votes", "params", "problem"),
    [
        ([], {}, "no models"),
        ([[]], {}, "no samples"),
        ("0 1 2", {}, "need a list"),
        ([[0, 1], [0, 1, 2]], {}, "different numbers of samples"),
        (np.zeros(5, int), {}, r"need shape \(n_models, n_samples\)"),
        (np.zeros((5, 2), int), {}, "more models than samples"),
        ([[0.5, 1.0, 2.0]], {}, "whole numbers"),
        ([[0, 1, 0]], {"n_clusters": 0}, "n_clusters: need"),
        ([[0, 1, 0]], {"n_clusters": 4}, "4"),
        ([[0, 1, 0]], {"min_agree": 3}, "min_agree"),
        ([[0, 1, 0]], {"consensus": "mean"}, "consensus: need"),
        ([[0, 1, 0]], {"confidences": [[1.0, 1.0]]}, "confidences: need shape"),
        ([[0, 1, 0]], {"confidences": [[1.0, 1.0, 2.0]]}, "from 0 to 1"),
        ([np.arange(70_000)], {}, "65535 clusters"),
    ],
)
def test_bad_votes_are_refused_in_a_sentence(votes: Any, params: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        pseudo_label(votes, **{"n_clusters": 2, **params})


def test_scores_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    truth, found = rng.integers(0, 5, 500), rng.integers(0, 7, 500)
    found[:300] = truth[:300]
    scores = evaluate(truth, found)
    assert scores.ari == pytest.approx(adjusted_rand_score(truth, found))
    assert scores.nmi == pytest.approx(normalized_mutual_info_score(truth, found))
    assert scores.contingency is not None and scores.contingency.sum() == 500
    words = np.array(["ant", "bee", "cow", "dog", "elk"])[truth]
    named = evaluate(words, found)
    assert named == evaluate(pd.Series(words), pl.Series(found)) and named.acc == scores.acc
    assert [one.name for one in named.per_class] == ["ant", "bee", "cow", "dog", "elk"]
    assert [one.cluster for one in named.per_class] == ["0", "1", "2", "3", "4"]
    assert evaluate([0, 0, 1, 1], [0, 0, -1, 1]).acc == 0.75


@pytest.mark.parametrize(
    ("truth", "found", "problem"),
    [
        ([0, 1], [0, 1, 1], "y_true has 2 labels, y_pred 3"),
        ([], [], "no labels"),
        ([0.5, 1.0], [0, 1], "whole numbers or strings"),
        ([[0, 1]], [0, 1], "one label for each sample"),
        ([None, "a"], [0, 1], "labels are missing"),
    ],
)
def test_bad_labels_are_refused_in_a_sentence(truth: Any, found: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        evaluate(truth, found)


def test_numbers_of_clusters_are_compared(blobs: Any, votes: Any) -> None:
    X, _ = blobs
    params = {name: quick(3).get_params()[name] for name in ("preset", "n_models", "settings")}
    rows = k_range(X, range(2, 5), **params)
    assert [row.k for row in rows] == [2, 3, 4]
    assert all(0.0 <= row.coverage <= 1.0 and row.n_found <= row.k for row in rows)
    of_votes = k_range(votes=votes, ks=range(2, 5), min_agree=0.75)
    assert of_votes[1].n_voters == 3 and of_votes[1].n_found == 3
    assert list(pd.DataFrame(of_votes).columns)[:2] == ["k", "n_found"]
    for wrong, problem in (
        ({"ks": [2, 4]}, "without gaps"),
        ({"ks": range(1, 3)}, "from 2 on"),
        ({"votes": votes}, "either samples"),
    ):
        with pytest.raises(ValueError, match=problem):
            k_range(X, **{"ks": range(2, 4), **wrong})
