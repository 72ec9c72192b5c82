"""What Spark's tasks do, without Spark: batches of Arrow in and out."""

from __future__ import annotations

import importlib.util
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import quick

from consilience import spark
from consilience._large.labels import gate_of, model_of
from consilience._large.voter import Voter


@pytest.fixture(scope="module")
def fitted() -> Any:
    """A run of three models on three groups, which overlap a little, and new samples."""
    rng = np.random.default_rng(8)
    centres = rng.normal(size=(3, 6))
    X = (centres[rng.integers(0, 3, 3000)] + 0.7 * rng.normal(size=(3000, 6))).astype("f4")
    return quick(3, n_models=3, min_confidence=0.5).fit(X[:600]), X


def table(X: np.ndarray, kind: str = "list") -> pa.Table:
    """A table with an id and a vector a row."""
    values = pa.array(X.ravel())
    if kind == "fixed":
        vectors = pa.FixedSizeListArray.from_arrays(values, X.shape[1])
    else:
        ends = np.arange(0, X.size + 1, X.shape[1], dtype="i8" if kind == "large" else "i4")
        of_kind = pa.LargeListArray if kind == "large" else pa.ListArray
        vectors = of_kind.from_arrays(pa.array(ends), values)
    return pa.table({"id": pa.array(np.arange(len(X))), "embedding": vectors})


def answers(voter: Voter, batches: Any) -> pa.Table:
    return pa.Table.from_batches(list(voter(iter(batches)))).combine_chunks()


def test_answers_depend_on_rows_alone(fitted: Any) -> None:
    model, X = fitted
    voter = pickle.loads(pickle.dumps(Voter(model_of(model), "embedding", "id")))
    whole = answers(voter, table(X).to_batches())
    assert whole.column_names == ["id", "cluster", "confidence", "lowest_confidence", "signature"]
    for rows in (1, 7, 999, 1000, 1001):
        cut = table(X[:2100]).to_batches(max_chunksize=rows)
        assert answers(voter, cut).equals(whole.slice(0, 2100).combine_chunks()), rows
    order = np.random.default_rng(0).permutation(len(X))
    mixed = answers(voter, table(X).take(pa.array(order)).to_batches(max_chunksize=313))
    assert mixed.sort_by("id").combine_chunks().equals(whole)
    # The run's own rounding may differ in the last bits, and nothing else does.
    assert (whole["cluster"].to_numpy() == model.predict(X)).mean() > 0.999
    assert np.abs(whole["confidence"].to_numpy() - model.predict_confidence(X)).max() < 1e-5


def test_the_kind_of_column_does_not_matter(fitted: Any) -> None:
    model, X = fitted
    voter = Voter(model_of(model), "embedding", "id")
    expected = answers(voter, table(X).to_batches())
    for kind in ("large", "fixed"):
        assert answers(voter, table(X, kind).to_batches()).equals(expected), kind
    wide = table(X.astype("f8")).to_batches(max_chunksize=500)
    assert answers(voter, wide).equals(expected)
    sliced = table(X, "fixed").slice(100, 400).to_batches()
    assert answers(voter, sliced).equals(expected.slice(100, 400).combine_chunks())
    named = table(X).set_column(0, "id", pa.array([f"row {row}" for row in range(len(X))]))
    assert answers(voter, named.to_batches())["id"].to_pylist()[:2] == ["row 0", "row 1"]


BROKEN: list[tuple[Any, str]] = [
    (None, "is missing"),
    ([1.0] * 5, "has 5 numbers, and the run's models take 6"),
    ([1.0] * 7, "has 7 numbers"),
    ([], "has 0 numbers"),
    ([1.0, None, 1.0, 1.0, 1.0, 1.0], "has None as number 1"),
    ([1.0, 1.0, 1.0, float("inf"), 1.0, 1.0], "has inf as number 3"),
]


@pytest.mark.parametrize(("vector", "problem"), BROKEN)
def test_a_broken_row_fails_with_its_id_or_is_left_unlabelled(
    fitted: Any, vector: Any, problem: str
) -> None:
    model, X = fitted
    rows = X[:50].tolist()
    rows[31] = vector
    kind = pa.list_(pa.float32())
    broken = pa.table({"id": pa.array(range(50)), "embedding": pa.array(rows, kind)})
    with pytest.raises(ValueError, match=f"id 31: embedding {problem}"):
        answers(Voter(model_of(model), "embedding", "id"), broken.to_batches())
    voter = Voter(model_of(model), "embedding", "id", "unlabelled")
    found = answers(voter, broken.to_batches()).to_pandas()
    assert found["id"].tolist() == list(range(50))
    assert found.isna().any(axis=1).tolist() == [row == 31 for row in range(50)]
    expected = answers(voter, table(X[:50]).to_batches()).to_pandas()
    assert found.drop(31).astype(expected.dtypes).equals(expected.drop(31))
    none = pa.table({"id": pa.array([3]), "embedding": pa.array([vector], kind)})
    assert answers(voter, none.to_batches())["cluster"].null_count == 1


def test_numbers_beyond_32_bits_are_broken_rows(fitted: Any) -> None:
    model, X = fitted
    wide = X[:4].astype("f8")
    wide[2, 1] = 1e300
    with pytest.raises(ValueError, match=r"id 2: embedding has 1e\+300 as number 1"):
        answers(Voter(model_of(model), "embedding", "id"), table(wide).to_batches())
    voter = Voter(model_of(model), "embedding", "id", "unlabelled")
    assert answers(voter, table(wide).to_batches())["cluster"].null_count == 1


def test_ids_are_needed_and_vectors_are_numbers(fitted: Any) -> None:
    model, X = fitted
    voter = Voter(model_of(model), "embedding", "id")
    without = table(X[:3]).set_column(0, "id", pa.array([1, None, 3]))
    with pytest.raises(ValueError, match="id is missing in row 1"):
        answers(voter, without.to_batches())
    words = pa.table({"id": [1], "embedding": pa.array([["a"]])})
    with pytest.raises(ValueError, match="holds no lists of numbers"):
        answers(voter, words.to_batches())
    with pytest.raises(ValueError, match="on_invalid: need"):
        Voter(model_of(model), "embedding", "id", "drop")


def test_counted_signatures_are_labelled_as_the_command_line_does(
    fitted: Any, command: Any, tmp_path: Path
) -> None:
    model, X = fitted
    model.save(tmp_path / "run")
    np.save(tmp_path / "new.npy", X)
    command("predict", "run", "new.npy", "--votes", "--quiet", "--out", "votes.csv", cwd=tmp_path)
    theirs = pd.read_csv(tmp_path / "votes.csv")
    ours = answers(Voter(model_of(model), "embedding", "id"), table(X).to_batches()).to_pandas()
    for column in ("cluster", "signature"):
        assert (theirs[column] == ours[column]).all(), column
    for column in ("confidence", "lowest_confidence"):
        assert (theirs[column].astype("f4") == ours[column]).all(), column

    sure = ours[ours["lowest_confidence"] > gate_of(model_of(model), None)]
    grouped = sure.groupby(["signature", "cluster"])["id"].agg(["count", "min"]).reset_index()
    counts = grouped.rename(columns={"min": "first"})
    counts.to_csv(tmp_path / "counts.csv", index=False)
    command("pseudo-label", "run", "--counts", "counts.csv", "--out", "labels.csv", cwd=tmp_path)
    expected = pd.read_csv(tmp_path / "labels.csv")

    given = {name: counts[name].tolist() for name in ("cluster", "count")}
    given |= {name: counts[name].astype(str).tolist() for name in ("signature", "first")}
    agreement = {"min_agree": None, "max_agree": None, "min_common": None, "min_confidence": None}
    found = model_of(model).label_counts(given, agreement)
    assert found["signature"] == expected["signature"].astype(str).tolist()
    for column in ("label", "agreement", "margin"):
        assert (found[column] == expected[column]).all(), column
    assert found["n_samples"] == len(sure) and sum(found["sizes"]) == found["n_labelled"] > 1000


def test_what_is_sent_is_small_and_runs_are_found(fitted: Any, tmp_path: Path) -> None:
    model, _ = fitted
    small = Voter(model_of(model), "embedding", "id").model
    assert len(small) < len(pickle.dumps(model_of(model)))
    files = [name for name in ("metrics.json", "votes.npz") if name.encode() in small]
    assert not files
    assert gate_of(model_of(model), None) == 0.5
    assert gate_of(model_of(model), 0.8) == float(np.float32(0.8))
    with pytest.raises(ValueError, match="min_confidence: need"):
        gate_of(model_of(model), 1.0)
    with pytest.raises(ValueError, match="need a run folder"):
        model_of(3)
    with pytest.raises(FileNotFoundError):
        model_of(tmp_path / "nowhere")
    assert json.loads(model_of(model).config())["agreement"]["min_confidence"] == 0.5


@pytest.mark.skipif(importlib.util.find_spec("pyspark") is not None, reason="Spark is here")
def test_without_spark_it_says_what_to_install(fitted: Any) -> None:
    with pytest.raises(ModuleNotFoundError, match="pip install pyspark"):
        spark.signature_counts(None, fitted[0])
