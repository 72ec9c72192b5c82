"""What `fit` gives, and what it takes."""

from __future__ import annotations

import sys
import threading
import types
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from conftest import quick
from sklearn.exceptions import ConvergenceWarning

from consilience import Consilience, evaluate


def test_groups_far_apart_are_found(blobs: Any) -> None:
    X, groups = blobs
    model = quick(3, random_state=1).fit(X)
    assert evaluate(groups, model.labels_).acc > 0.98
    assert model.labels_.dtype == np.int64 and model.confidences_.dtype == np.float32
    labelled = model.pseudo_labels_ >= 0
    assert (
        labelled.any() and (model.pseudo_labels_[labelled] == model.labels_[labelled]).mean() > 0.95
    )
    assert (model.agreement_[~labelled] == 0).all() and (model.agreement_[labelled] == 2).all()
    assert model.votes_.shape == (2, 240) and model.votes_.min() >= 0
    assert model.n_iter_ == 1 and model.stop_reason_ == "round_limit" and model.complete_
    assert model.config_["n_clusters"] == 3 and model.metrics_["n_samples"] == 240
    assert (model.predict(X) == model.labels_).all()
    assert np.array_equal(model.predict_confidence(X), model.confidences_)


def test_the_seed_decides_and_threads_do_not(blobs: Any) -> None:
    X, _ = blobs
    first = quick(3, random_state=3, n_jobs=1).fit(X)
    second = quick(3, random_state=3, n_jobs=2).fit(X)
    assert np.array_equal(first.confidences_, second.confidences_)
    assert first._model.file("models/model-00.safetensors") == second._model.file(
        "models/model-00.safetensors"
    )
    other = quick(3, random_state=4, n_jobs=2).fit(X)
    assert not np.array_equal(first.confidences_, other.confidences_)
    # What others call a state is drawn from, once.
    drawn = [quick(3, random_state=np.random.RandomState(1)).fit(X).confidences_ for _ in range(2)]
    assert np.array_equal(*drawn)


def test_frames_and_matrices_are_taken(blobs: Any) -> None:
    X, _ = blobs
    names = ["north", "east", "height", "speed"]
    frames = [
        pd.DataFrame(X, columns=names),
        pl.DataFrame(X, schema=names),
        pa.table(dict(zip(names, X.T))),
    ]
    expected = quick(3).fit(frames[0])
    assert list(expected.feature_names_in_) == names
    for frame in frames[1:]:
        model = quick(3).fit(frame)
        assert list(model.feature_names_in_) == names
        assert np.array_equal(model.confidences_, expected.confidences_)
        assert (model.predict(frame) == model.labels_).all()
    with pytest.raises(ValueError, match="feature names should match"):
        expected.predict(frames[0][names[::-1]])
    sparse = np.where(np.abs(X) > 1, X, 0.0)
    dense = quick(3).fit(sparse)
    for kind in (scipy.sparse.csr_matrix, scipy.sparse.coo_array, scipy.sparse.csc_matrix):
        model = quick(3).fit(kind(sparse))
        assert np.array_equal(model.confidences_, dense.confidences_)


def test_layout_and_small_numbers_do_not_matter(blobs: Any) -> None:
    X = np.round(blobs[0] * 10).astype(np.int16)
    expected = quick(3).fit(X.astype(np.float32))
    for same in (
        X,
        X.astype(np.float64),
        np.asfortranarray(X),
        np.repeat(X, 2, axis=0)[::2],
        X.tolist(),
    ):
        assert np.array_equal(quick(3).fit(same).confidences_, expected.confidences_)


def test_pixels_are_taken_as_they_are(blobs: Any) -> None:
    pixels = np.clip(blobs[0] * 10 + 128, 0, 255).astype(np.uint8)
    model, of_floats = quick(3).fit(pixels), quick(3).fit(pixels.astype(np.float32))
    assert np.array_equal(model.confidences_, of_floats.confidences_)
    for same in (pixels, pixels.astype(float), pd.DataFrame(pixels), scipy.sparse.csr_array(pixels)):
        assert np.array_equal(model.predict_confidence(same), of_floats.confidences_)
    # What was taken off 64-bit numbers is taken off them, too.
    far = np.vstack([blobs[0] + 1e9, blobs[0]])
    assert (quick(3).fit(far).predict(pixels) == quick(3).fit(far).predict(pixels.astype(float))).all()


def test_what_32_bits_would_lose_is_kept(blobs: Any) -> None:
    X, groups = blobs
    far = X + 1e9
    model = quick(3).fit(far)
    assert evaluate(groups, model.labels_).acc > 0.98
    assert (model.predict(far) == model.labels_).all()
    assert (model.predict(far[:5]) == model.labels_[:5]).all()


def test_x_may_be_changed_afterwards(blobs: Any) -> None:
    X, _ = blobs
    model, mine = quick(3).fit(X), X.copy()
    X[:] = 0
    assert (model.predict(mine) == model.labels_).all()


def test_settings_go_to_the_engine(blobs: Any) -> None:
    X, _ = blobs
    model = quick(3, min_agree=0.5, max_agree="40%", min_confidence=0.2, n_models=3).fit(X)
    agreement = model.config_["agreement"]
    assert agreement["min_agree"] == "50%" and agreement["max_agree"] == "40%"
    assert abs(agreement["min_confidence"] - 0.2) < 1e-6
    assert model.config_["network"]["hidden"] == [32] and len(model.config_["members"]) == 3
    with pytest.raises(ValueError, match="setting network.hiden: unknown field"):
        quick(3, settings={"network": {"hiden": [3]}}).fit(X)


def test_fewer_mini_clusters_are_warned_of(blobs: Any) -> None:
    X, _ = blobs
    with pytest.warns(ConvergenceWarning, match="agree on only 0 of 3 mini-clusters"):
        model = quick(3, min_confidence=0.9999999).fit(X)
    assert not model.complete_ and model.labels_.min() >= 0


def test_progress_is_told(blobs: Any, capsys: Any) -> None:
    quick(3).fit(blobs[0])
    assert capsys.readouterr().out == ""
    quick(3, verbose=1).fit(blobs[0])
    told = capsys.readouterr().out
    assert "round 1 of 1: training 2 models" in told and "epoch" not in told
    assert "models agree on" in told
    quick(3, verbose=2).fit(blobs[0])
    assert "model 2, epoch" in capsys.readouterr().out


def test_a_notebook_has_a_bar(blobs: Any, monkeypatch: Any, capsys: Any) -> None:
    bars: list[Any] = []

    class Bar:
        def __init__(self, **how: Any) -> None:
            self.n, self.how, self.closed = 0, how, False
            bars.append(self)

        def update(self, by: int) -> None:
            assert by > 0
            self.n += by

        def close(self) -> None:
            self.closed = True

    for name in ("tqdm", "tqdm.auto", "ipykernel"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["tqdm.auto"].tqdm = Bar  # type: ignore[attr-defined]
    quick(3).fit(blobs[0])
    assert not bars
    quick(3, verbose=1).fit(blobs[0])
    assert [bar.how["desc"] for bar in bars] == ["round 1 of 1"]
    assert bars[0].n == 100 and bars[0].closed
    assert "models agree on" in capsys.readouterr().out
    quick(3, verbose=2).fit(blobs[0])
    assert len(bars) == 1


def test_one_cluster_needs_no_training() -> None:
    model = Consilience(1).fit(np.ones((3, 2)))
    assert model.labels_.tolist() == [0, 0, 0] and model.predict([[5.0, 5.0]]).tolist() == [0]
    with pytest.raises(ValueError, match="no run of one cluster"):
        model.save("nowhere")


@pytest.mark.parametrize(
    ("X", "problem"),
    [
        (np.array([["a", 1], ["c", 2]], object), "X holds words, such as 'a'.*drop their columns, or encode"),
        ([["a", "b"], ["c", "d"]], "X holds words, such as|dtype='numeric'"),
        ("x.npy", "got 'x.npy'; read files first"),
        (None, "need an array or a data frame, got None"),
        (np.ones((4, 2), complex), "Complex data not supported: make two features of each"),
        (np.arange(6).reshape(3, 2).astype("datetime64[D]"), "X holds dates or times"),
        (np.zeros(9, [("a", "f4"), ("b", "f4")]), "structured_to_unstructured"),
        ([[1.0, np.nan], [0.0, 1.0], [np.nan, 1.0]], "2 values are missing, the first in row 0, column 1; drop"),
        (scipy.sparse.csr_array([[1.0, 0], [np.nan, 1.0]]), "1 value is missing, in row 1, column 0; drop"),
        ([[1.0, np.inf], [0.0, 1.0], [1.0, 1.0]], "contains infinity: 1 value is infinite, in row 0, column 1"),
        (np.ones(5), r"Expected 2D array, got 1D array of shape \(5,\). Reshape your data: X.reshape\(-1, 1\)"),
        (np.ones((2, 3, 4)), "dim 3"),
        (np.ones((0, 3)), "0 sample"),
        (np.ones((3, 0)), r"0 feature"),
        (np.eye(2), "n_clusters: need 2 <= K <= 2 .the number of samples., got 3"),
        (np.ones((9, 2)), "only 1 distinct row"),
        (
            pd.DataFrame({"size": [1.0, 2, 3, 4], "name": ["a", "b", "c", "d"]}),
            "no numbers: 'name'",
        ),
        (
            pl.DataFrame({"size": [1.0, 2, 3, 4], "name": ["a", "b", "c", "d"]}),
            "no numbers: 'name'",
        ),
        (
            pd.DataFrame({"size": [1.0, 2, 3, 4], "when": pd.date_range("2020-01-01", periods=4)}),
            "no numbers: 'when'",
        ),
        (
            pl.DataFrame({"kind": pl.Series(["a", "b", "c"], dtype=pl.Categorical), "of": ["a", "b", "c"]}),
            "no numbers: 'kind', 'of'",
        ),
        (pl.DataFrame({"size": [1.0, 2], "of": [[1.0], [2.0]]}), r"column 'of' has a list .*numpy.stack\(X\['of'\]\)"),
        (pd.DataFrame({"of": [[1.0, 2], [2.0, 3]]}), r"numpy.stack\(X\['of'\]\)"),
        (pd.Series([np.ones(2), np.ones(2)]), r"X has a list in each row; .* numpy.stack\(X\)"),
        (pl.Series([1.0, 2.0]), "Reshape your data"),
        (pl.LazyFrame({"size": [1.0, 2]}), r"X.collect\(\)"),
        (pd.DataFrame(index=range(5)), r"0 feature\(s\)"),
        ([[1.0, 2.0], [3.0], [4.0, 5.0]], "rows of several lengths"),
        (pd.DataFrame({"size": [1.0, 2], "name": pd.Series(["a", 2], dtype=object)}), "no numbers: 'name'"),
        (
            pl.DataFrame({"size": [1.0, None, 3, 4], "age": [1.0, 2, 3, 4]}),
            "1 value is missing, in row 1, column 'size'",
        ),
    ],
)
def test_bad_data_is_refused_in_a_sentence(X: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        quick(3).fit(X)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"n_clusters": None}, "n_clusters: need a whole number, .least, most. or 'auto', got None"),
        ({"n_clusters": [2, 4]}, r"\(least, most\) or 'auto', got \[2, 4\]"),
        ({"verbose": "yes"}, "verbose: need 0, 1 or 2, got 'yes'"),
        ({"n_clusters": (5, 2)}, "least, most"),
        ({"effort": "fast"}, "effort 'fast' is unknown"),
        ({"effort": "quick", "n_models": 3}, "effort: need default"),
        ({"n_clusters": 0}, "n_clusters: need a whole number, at least 1, got 0"),
        ({"n_clusters": 2.5}, "n_clusters: need"),
        ({"n_clusters": 1000}, "number of samples"),
        ({"preset": "photo"}, "no preset 'photo'"),
        ({"n_models": 0}, "n_models: need"),
        ({"max_rounds": "two"}, "max_rounds: need"),
        ({"min_agree": 9}, "min_agree"),
        ({"min_agree": 1.5}, "min_agree: need a number of models"),
        ({"min_agree": "most"}, "most"),
        ({"min_confidence": 1.5}, "confidence"),
        ({"settings": ["first"]}, "settings: need a dict"),
        ({"settings": {"first": {"min_steps": None}}}, "settings"),
        ({"n_jobs": 0}, "n_jobs: need"),
        ({"random_state": -1}, "random_state: need"),
    ],
)
def test_bad_settings_are_refused_in_a_sentence(blobs: Any, params: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        quick(3).set_params(**params).fit(blobs[0])
    # What the command line calls its options is of no use here.
    assert "(-" not in str(refused.value) and "--" not in str(refused.value)


def test_samples_of_another_width_are_refused(blobs: Any) -> None:
    X, _ = blobs
    model = quick(3).fit(X)
    with pytest.raises(ValueError, match="X has 3 features, but Consilience is expecting 4"):
        model.predict(X[:, :3])


def test_threads_fit_at_once(blobs: Any) -> None:
    X, _ = blobs
    expected = quick(3, random_state=2).fit(X).confidences_
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(quick(3, random_state=2).fit(X).confidences_))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all(np.array_equal(one, expected) for one in found)


def test_no_other_warnings(blobs: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = quick(3).fit(blobs[0])
        model.predict(blobs[0])


def test_clusters_are_as_many_as_there_are(blobs: Any) -> None:
    X, groups = blobs
    for n_clusters in ("auto", (2, 6)):
        model = quick(n_clusters).fit(X)
        assert model.n_clusters_ == 3 and model.metrics_["granularity"]["n_clusters"] == 3
        assert evaluate(groups, model.labels_).ari > 0.95
    told = quick(3).fit(X)
    assert told.n_clusters_ == 3 and told.metrics_["granularity"] is None
    assert (told.labels_ == model.labels_).all()


def test_noise_is_said_to_have_no_clusters() -> None:
    noise = np.random.default_rng(0).normal(size=(300, 8))
    with pytest.warns(UserWarning, match="no structure"):
        model = Consilience(effort="quick").fit(noise)
    assert model.n_clusters_ == 2


def test_a_quick_run_has_no_networks(blobs: Any) -> None:
    model = Consilience(3, effort="quick").fit(blobs[0])
    assert set(model.config_["members"]) == {"mixture"}
    assert evaluate(blobs[1], model.labels_).ari > 0.95
    assert (model.predict(blobs[0]) == model.labels_).all()


def test_other_views_are_learnt_and_predict(blobs: Any, tmp_path: Any) -> None:
    X, groups = blobs
    model = quick(3, random_state=1, views=["autoencoder"]).fit(X)
    assert evaluate(groups, model.labels_).acc > 0.98
    assert [view["name"] for view in model.metrics_["views"]] == ["autoencoder"]
    assert (model.predict(X) == model.labels_).all()
    model.save(tmp_path / "run")
    again = Consilience.load(tmp_path / "run")
    assert (again.predict(X) == model.labels_).all()
    with pytest.raises(ValueError, match="other views"):
        model.cut(X, 2)
    for views, message in [
        ("autoencoder", "a list of pretexts"),
        (["jigsaw"], "views: need one of autoencoder"),
        ([3], "names of pretexts"),
    ]:
        with pytest.raises(ValueError, match=message):
            quick(3, views=views).fit(X)
    given = {**model.get_params()["settings"], "views": [{"name": "captions.npy"}]}
    with pytest.raises(ValueError, match="views: need features of 1 views"):
        quick(3, settings=given).fit(X)
