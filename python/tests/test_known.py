"""What is known of some samples: labels that name clusters, and pairs."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import files, quick

from consilience import Consilience, pseudo_label


@pytest.fixture
def rows(blobs: Any) -> list[np.ndarray]:
    """The rows of each of the three groups."""
    return [np.flatnonzero(blobs[1] == group) for group in range(3)]


def test_pairs_hold(blobs: Any, rows: Any) -> None:
    X, _ = blobs
    (a, b, c), (d, e) = rows[0][:3], rows[1][:2]
    must, cannot = np.array([[a, d], [d, e]]), [[b, c]]
    model = quick(3).fit(X, must_link=must, cannot_link=cannot)
    assert model.labels_[a] == model.labels_[d] == model.labels_[e]
    assert model.labels_[b] != model.labels_[c]
    held = model.metrics_["held"]
    assert (held["samples"], held["groups"]) == (5, 3) and held["moved"] >= 2
    assert not hasattr(model, "cluster_classes_")
    # Nothing to hold to is the same as nothing.
    nothing = quick(3).fit(X, must_link=[], cannot_link=np.empty((0, 2), int))
    assert np.array_equal(nothing.confidences_, quick(3).fit(X).confidences_)
    assert np.array_equal(
        quick(3).fit_predict(X, must_link=must, cannot_link=cannot), model.labels_
    )


def test_another_cut_keeps_the_pairs(blobs: Any, rows: Any, tmp_path: Path) -> None:
    X, _ = blobs
    (a, b), (c, d) = rows[0][:2], rows[1][:2]
    model = Consilience(3, effort="quick").fit(X, must_link=[[a, c]], cannot_link=[[a, b], [c, d]])
    two = model.cut(X, 2)
    assert two.n_clusters_ == 2 and two.metrics_["held"]["samples"] == 4
    assert two.labels_[a] == two.labels_[c]
    assert two.labels_[a] != two.labels_[b] and two.labels_[c] != two.labels_[d]
    model.save(tmp_path / "run")
    again = Consilience.load(tmp_path / "run").cut(X, 2)
    assert np.array_equal(again.labels_, two.labels_)
    apart = Consilience(3, effort="quick").fit(X, cannot_link=[[a, b], [b, c], [c, a]])
    with pytest.raises(ValueError, match="2 clusters can't keep apart what has to be; give 3 or more"):
        apart.cut(X, 2)
    # Of no pairs, none are kept.
    assert Consilience(3, effort="quick").fit(X, must_link=[]).cut(X, 2).n_clusters_ == 2


@pytest.mark.parametrize("dtype", [int, float, "words"])
def test_labels_name_clusters(blobs: Any, rows: Any, tmp_path: Path, dtype: Any) -> None:
    X, _ = blobs
    labels = np.full(240, -1)
    labels[rows[0][:3]], labels[rows[2][:2]] = 7, 2
    given: Any = labels
    if dtype is float:
        given = np.where(labels < 0, np.nan, labels)
    elif dtype == "words":
        given = pd.Series(labels).map({-1: None, 7: "seven", 2: "two"})
    model = quick(3).fit(X, labels_partial=given)
    seven, two = ("seven", "two") if dtype == "words" else (7, 2)
    called = model.cluster_classes_[model.labels_]
    assert (called[rows[0]] == seven).mean() > 0.98 and (called[rows[2]] == two).mean() > 0.98
    assert all(name is None for name in called[rows[1]][:5])
    assert all(called[labels == 7] == seven) and all(called[labels == 2] == two)
    assert model.metrics_["given"]["count"] == 5
    model.save(tmp_path / "run")
    again = Consilience.load(tmp_path / "run")
    assert again.cluster_classes_.tolist() == model.cluster_classes_.tolist()
    same = pickle.loads(pickle.dumps(model))
    assert same.cluster_classes_.tolist() == model.cluster_classes_.tolist()
    # A further fit knows nothing of it.
    assert not hasattr(model.fit(X), "cluster_classes_")


def test_as_many_clusters_as_have_to_be_apart(blobs: Any, rows: Any) -> None:
    X, _ = blobs
    first = rows[0][:4]
    apart = [[a, b] for at, a in enumerate(first) for b in first[at + 1 :]]
    model = Consilience((2, 9), effort="quick").fit(X, cannot_link=apart)
    assert model.n_clusters_ >= 4 and len(set(model.labels_[first])) == 4
    with pytest.raises(ValueError, match="3 clusters can't keep apart what has to be; give 4 or more"):
        quick(3).fit(X, cannot_link=apart)
    with pytest.raises(ValueError, match="give 4 or more"):
        quick((2, 3)).fit(X, cannot_link=apart)


def test_the_command_line_gives_the_same_bytes(
    blobs: Any, rows: Any, command: Any, tmp_path: Path
) -> None:
    X = blobs[0].astype(np.float32)
    np.save(tmp_path / "x.npy", X)
    must = [[rows[0][0], rows[1][0]], [rows[0][1], rows[0][5]]]
    cannot = [[rows[2][3], rows[2][4]]]
    labels = np.full(240, -1)
    labels[rows[1][3:6]], labels[rows[2][6:9]] = 1, 0
    for name, pairs in (("must", must), ("cannot", cannot)):
        lines = "".join(f"{a},{b}\n" for a, b in pairs)
        (tmp_path / f"{name}.csv").write_text(lines)
    np.save(tmp_path / "some.npy", labels)
    command(
        "cluster", "x.npy", "-k", 3, "--effort", "quick", "--seed", 5, "--must-link", "must.csv", "--cannot-link", "cannot.csv",
        "--labels-partial", "some.npy", "--out", "theirs", "--quiet", cwd=tmp_path,
    )  # fmt: skip
    model = Consilience(3, effort="quick", random_state=5)
    model.fit(X, must_link=must, cannot_link=cannot, labels_partial=labels)
    model.save(tmp_path / "ours", X, data="x.npy")
    ours, theirs = dict(files(tmp_path / "ours")), dict(files(tmp_path / "theirs"))
    for name in ("assignments.csv", "pseudo_labels.csv", "votes.npz", "classes.csv", "given_labels.csv", "label_errors.csv"):
        assert ours[name] == theirs[name], name

    def settings(run: dict[str, bytes]) -> list[str]:
        # Python has arrays, and no files to name.
        lines = run["config.toml"].decode().splitlines()
        named = ("labels_partial =", "must_link =", "cannot_link =")
        return [line for line in lines if not line.startswith(named)]

    assert settings(ours) == settings(theirs)


def test_votes_are_held_to_pairs(command: Any, tmp_path: Path) -> None:
    groups = np.repeat([0, 1, 2], 10)
    votes = np.array([groups, (groups + 1) % 3, np.where(np.arange(30) % 7 == 3, 0, groups)])
    must, cannot = [[0, 29], [29, 28]], [[12, 13]]
    found = pseudo_label(votes, 3, must_link=must, cannot_link=cannot)
    assert found.labels[0] == found.labels[28] == found.labels[29]
    assert found.labels[12] != found.labels[13]
    np.save(tmp_path / "votes.npy", votes)
    for name, pairs in (("must", must), ("cannot", cannot)):
        (tmp_path / f"{name}.csv").write_text("".join(f"{a},{b}\n" for a, b in pairs))
    command(
        "pseudo-label", "votes.npy", "-k", 3, "--must-link", "must.csv", "--cannot-link", "cannot.csv", "--out", "run", "--quiet",
        cwd=tmp_path,
    )  # fmt: skip
    assert np.array_equal(np.load(tmp_path / "run/assignments.npy"), found.labels)
    table = pd.read_csv(tmp_path / "run/pseudo_labels.csv")
    assert np.array_equal(table["label"], found.pseudo_labels[table["sample"]])
    with pytest.raises(ValueError, match="give 2 or more"):
        pseudo_label(votes, 1, cannot_link=cannot)
    with pytest.raises(ValueError, match=r"cannot_link\[0\]: votes has no rows"):
        pseudo_label(votes, 3, cannot_link=[[0, 30]])


@pytest.mark.parametrize(
    ("known", "problem"),
    [
        ({"must_link": [0, 1]}, r"must_link: need pairs of rows of X, shape \(n_pairs, 2\), got shape \(2,\)"),
        ({"must_link": [[0.0, 1.0]]}, "must_link: need rows of X, whole numbers from 0, got float64"),
        ({"cannot_link": [[0, 1], [3, 240]]}, r"cannot_link\[1\]: X has no rows \[3, 240\]; it has 240 samples"),
        ({"cannot_link": [[-1, 1]]}, r"cannot_link\[0\]: X has no rows \[-1, 1\]"),
        ({"must_link": [[5, 5]]}, r"must_link\[0\]: row 5 is paired with itself"),
        (
            {"must_link": [[0, 1], [1, 2]], "cannot_link": [[3, 4], [2, 0]]},
            r"cannot_link\[1\]: row 2 and row 0 are to be apart, but are linked by must_link\[1\], must_link\[0\]; remove one of these",
        ),
        ({"labels_partial": np.full(240, -1)}, "labels_partial: no sample has a label"),
        ({"labels_partial": [1, 2, 3]}, "labels_partial has 3 labels, and X 240 samples"),
        ({"labels_partial": np.arange(240) % 4}, "at least 4, as there are labels of so many classes"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_a_sentence(blobs: Any, known: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        quick(3).fit(blobs[0], **known)


def test_one_cluster_has_nothing_to_hold_to(blobs: Any) -> None:
    with pytest.raises(ValueError, match="n_clusters: need at least 2 where labels or pairs are known"):
        Consilience(1).fit(blobs[0], must_link=[[0, 1]])


def test_classes_that_clusters_do_not_show_are_warned_of(blobs: Any, rows: Any) -> None:
    labels = np.full(240, -1)
    labels[rows[0][:6]], labels[rows[0][6:12]] = 0, 1
    with pytest.warns(UserWarning, match="clusters don't show some classes"):
        model = quick(3).fit(blobs[0], labels_partial=labels)
    assert model.labels_[rows[0][0]] != model.labels_[rows[0][6]]


def test_what_is_not_applied_is_warned_of() -> None:
    sizes = [900, 500, 280, 100, 60, 30, 18]
    kinds = np.repeat(np.arange(7), sizes)
    X = np.random.default_rng(5).normal(size=(len(kinds), 8))
    X[np.arange(len(kinds)), kinds] += 4.5
    model = Consilience(7, min_confidence=0.95)
    with pytest.warns(UserWarning, match="min_confidence: not applied to the pseudo-labels"):
        model.fit(X)
    assert model.metrics_["pseudo_label_rule"] == "backed"
