"""scikit-learn's own checks, and its tools around the estimator."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from conftest import quick
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from consilience import Consilience, confidence_score

#: Checks that can't pass, by name, with the reason. None is left.
EXPECTED_TO_FAIL: dict[str, str] = {}


@parametrize_with_checks([quick(2)], expected_failed_checks=lambda _: EXPECTED_TO_FAIL)
def test_check_estimator(estimator: Any, check: Any) -> None:
    check(estimator)


def test_parameters_are_kept_and_cloned() -> None:
    model = quick(4, random_state=7)
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(n_clusters=5).n_clusters == 5


def test_pipelines_and_searches(blobs: Any) -> None:
    X, _ = blobs
    pipeline = make_pipeline(StandardScaler(), quick(3))
    labels = pipeline.fit_predict(X)
    assert (pipeline.predict(X) == labels).all()
    search = GridSearchCV(
        pipeline,
        {"consilience__n_models": [1, 2]},
        scoring=confidence_score,
        cv=2,
        error_score="raise",
    )
    assert 0.0 < search.fit(X).best_score_ <= 1.0
    assert confidence_score(search.best_estimator_, X) > 0.5


def test_pickled_and_sent_by_joblib(blobs: Any) -> None:
    from joblib import Parallel, delayed

    X, _ = blobs
    model = quick(3).fit(X)
    again = pickle.loads(pickle.dumps(model))
    assert (again.predict(X) == model.labels_).all()
    assert np.array_equal(again.predict_confidence(X), model.predict_confidence(X))
    assert np.array_equal(again.votes_, model.votes_)
    parts = Parallel(n_jobs=2)(delayed(model.predict)(X[start : start + 120]) for start in (0, 120))
    assert (np.concatenate(parts) == model.labels_).all()


def test_a_pickle_of_a_newer_version_is_refused(blobs: Any) -> None:
    model = quick(3).fit(blobs[0])
    rebuild, (format, version, files) = model._model.__reduce__()
    assert rebuild(format, version, files) is not None
    with pytest.raises(
        ValueError, match="pickled by consilience 9.9 in format 99, .* use the newer"
    ):
        rebuild(99, "9.9", files)


def test_nothing_is_known_before_fit() -> None:
    for call in (
        lambda model: model.predict(np.eye(3)),
        lambda model: model.predict_confidence(np.eye(3)),
        lambda model: model.save("nowhere"),
        lambda model: model.report(),
        lambda model: model.votes_,
    ):
        with pytest.raises(NotFittedError):
            call(Consilience(2))
