"""The classifier: a few labels."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import QUICK, files
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from consilience import Consilience, ConsilienceClassifier


def quick(method: Any = "supervised", **params: Any) -> ConsilienceClassifier:
    """One that trains for a moment."""
    params = {"n_models": 2, "max_rounds": 1, "preset": "tabular", "settings": QUICK, **params}
    return ConsilienceClassifier(method, **params)


@pytest.fixture
def few(blobs: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three groups, two labels of each, and all of them."""
    X, groups = blobs
    y = np.full(len(groups), -1)
    for group in range(3):
        y[np.flatnonzero(groups == group)[:2]] = group
    return X, y, groups


#: Checks that can't pass, by name, with the reason.
EXPECTED_TO_FAIL = {
    "check_classifiers_classes": "-1 stands for no label, and is a class there; scikit-learn's own semi-supervised estimators are excepted by name",
}


@parametrize_with_checks(
    [quick(), quick("propagation")], expected_failed_checks=lambda _: EXPECTED_TO_FAIL
)
def test_check_estimator(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("method", ["agreement", "propagation", ["ladder", "graph"]])
def test_two_labels_a_class_are_enough(few: Any, method: Any) -> None:
    X, y, groups = few
    model = quick(method).fit(X, y)
    assert model.score(X, groups) > 0.98
    assert (model.transduction_ == groups).mean() > 0.98
    given = y >= 0
    assert (model.transduction_[given] == y[given]).all()
    proba = model.predict_proba(X)
    assert proba.shape == (len(X), 3)
    assert np.allclose(proba.sum(axis=1), 1, atol=1e-5)
    assert (model.classes_[proba.argmax(axis=1)] == model.predict(X)).all()
    assert np.allclose(model.label_distributions_[~given], proba[~given])
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), proba)


def test_words_and_what_stands_for_none(few: Any) -> None:
    X, y, groups = few
    names = np.array(["cat", "dog", "eel"])
    words = [None if label < 0 else str(names[label]) for label in y]
    model = quick("propagation").fit(X, words)
    assert list(model.classes_) == ["cat", "dog", "eel"]
    assert model.score(X, names[groups]) > 0.98
    numbers = np.where(y < 0, np.nan, y + 4.0)
    assert list(quick("propagation").fit(X, numbers).classes_) == [4.0, 5.0, 6.0]


def test_a_run_is_the_same_for_the_command_line(few: Any, command: Any, tmp_path: Path) -> None:
    X, y, _ = few
    np.save(tmp_path / "x.npy", X)
    lines = ["label", *("" if label < 0 else str(label) for label in y)]
    (tmp_path / "some.csv").write_text("\n".join(lines) + "\n")
    command("train", "x.npy", "--labels-partial", "some.csv", "--method", "propagation", "--seed", "3", "--out", "run", cwd=tmp_path)
    ours = ConsilienceClassifier("propagation", random_state=3).fit(X, y)
    ours.save(tmp_path / "ours", X)
    theirs, own = dict(files(tmp_path / "run")), dict(files(tmp_path / "ours"))
    for name in ("assignments.csv", "classes.csv", "given_labels.csv", "probabilities.npy", "pseudo_labels.csv", "votes.npz"):
        assert theirs[name] == own[name], name
    loaded = ConsilienceClassifier.load(tmp_path / "run")
    assert np.array_equal(loaded.predict(X), ours.predict(X))
    assert np.array_equal(loaded.transduction_, ours.transduction_)
    assert loaded.get_params()["method"] == ["propagation"]
    assert np.array_equal(loaded.suggest(X, 5), ours.suggest(X, 5))
    Consilience(3, effort="quick").fit(X).save(tmp_path / "clusters")
    with pytest.raises(ValueError, match="learnt from no labels"):
        ConsilienceClassifier.load(tmp_path / "clusters")


def test_which_to_label_next(few: Any) -> None:
    X, y, groups = few
    found = Consilience(3, effort="quick").fit(X).suggest(X, 3)
    assert sorted(groups[found]) == [0, 1, 2]
    model = quick("propagation").fit(X, y)
    assert not set(model.suggest(X, 10)) & set(np.flatnonzero(y >= 0))
    with pytest.raises(ValueError, match="give the X of fit"):
        model.suggest(X[:50])
    with pytest.raises(NotFittedError):
        quick().suggest(X)


def test_what_can_not_be_is_refused(few: Any) -> None:
    X, y, _ = few
    for labels, params, match in [
        (np.full(len(X), -1), {}, "no sample has a label"),
        (np.where(y == 0, 0, -1), {}, "one class only"),
        (y[:10], {}, "y has 10 labels, and X"),
        (y, {"method": "magic"}, "need one of supervised"),
        (y, {"method": []}, "a method at least"),
        (y, {"effort": "quick"}, "propagation"),
        (y, {"tau": 2.0, "method": "confidence"}, "tau"),
    ]:
        with pytest.raises(ValueError, match=match):
            quick(**params).fit(X, labels)
