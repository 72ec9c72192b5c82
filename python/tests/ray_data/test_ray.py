"""On Ray: what one process finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray

import consilience
import consilience.ray as cr
from consilience._large.labels import extracted, model_of
from consilience._large.voter import Voter

N, WIDTH, K = 9000, 12, 4


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def made(tmp_path_factory: Any) -> tuple[Path, pa.Table]:
    """A run of three networks and a k-means on some rows, and all of them, their ids shuffled."""
    rng = np.random.default_rng(11)
    centres = 1.4 * rng.normal(size=(K, WIDTH))
    X = (centres[rng.integers(0, K, N)] + rng.normal(size=(N, WIDTH))).astype("f4")
    settings = {
        "candidates": 0,
        "communities": 0,
        "judge": False,
        "members": ["vat-im", "vat-im", "ladder", "k-means"],
        "first": {"epochs": 3, "min_steps": 150, "anneal": False},
        "network": {"hidden": [24]},
    }
    path = tmp_path_factory.mktemp("runs") / "run"
    params: dict[str, Any] = {"max_rounds": 1, "min_confidence": 0.6, "preset": "embedding"}
    consilience.Consilience(K, settings=settings, **params).fit(X[:1500]).save(path)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), WIDTH)
    return path, pa.table({"id": rng.permutation(N), "embedding": vectors})


def test_all_of_it_is_what_one_process_finds(made: Any, tmp_path: Path) -> None:
    run, table = made
    for part in range(3):
        pq.write_table(table.slice(3000 * part, 3000), tmp_path / f"{part}.parquet")
    ds = ray.data.read_parquet(str(tmp_path))
    cr.predict(ds, run).write_parquet(str(tmp_path / "votes"))
    votes = ray.data.read_parquet(str(tmp_path / "votes"))
    labels = cr.extract(cr.signature_counts(votes, run), run)
    found = cr.label(votes, labels).to_pandas().sort_values("id", ignore_index=True)

    voter = Voter(model_of(run), "embedding", "id")
    alone = pa.Table.from_batches(list(voter(iter(table.to_batches())))).to_pandas()
    alone = alone.sort_values("id", ignore_index=True)
    sure = alone[alone["lowest_confidence"] > np.float32(0.6)]
    groups = sure.groupby(["signature", "cluster"])["id"].agg(["count", "min"]).reset_index()
    counts = pa.Table.from_pandas(groups.rename(columns={"min": "first"}))
    settings = {"min_agree": None, "max_agree": None, "min_common": None}
    expected = extracted(counts, model_of(run), None, settings, None)
    assert (labels.signature, labels.sizes) == (expected.signature, expected.sizes)
    for name in ("cluster", "confidence"):
        assert np.array_equal(found[name], alone[name]), name
    known = pd.Series(expected.label, [int(signature) for signature in expected.signature])
    theirs = alone["signature"].map(known)
    without = (theirs != alone["cluster"]) | (alone["lowest_confidence"] <= np.float32(0.6))
    assert np.array_equal(found["pseudo_label"].astype("f8"), theirs.mask(without), equal_nan=True)
    assert found["pseudo_label"].notna().sum() == labels.n_labelled > N / 3


def test_arrays_of_numpy_come_as_tensors(made: Any) -> None:
    run, table = made
    X = np.stack(table["embedding"].to_pylist()).astype("f4")
    ds = ray.data.from_numpy(X).rename_columns({"data": "embedding"})
    ds = ds.zip(ray.data.from_arrow(table.select(["id"])))
    found = cr.predict(ds, run).to_pandas().sort_values("id", ignore_index=True)
    voter = Voter(model_of(run), "embedding", "id")
    alone = pa.Table.from_batches(list(voter(iter(table.to_batches())))).sort_by("id").to_pandas()
    assert (found["signature"] == alone["signature"]).all()


def test_what_is_wrong_is_told(made: Any) -> None:
    run, table = made
    ds = ray.data.from_arrow(table)
    with pytest.raises(ValueError, match="no column 'vector'; there are 'id', 'embedding'"):
        cr.predict(ds, run, vector_column="vector")
    counts = pa.table({"signature": [1, 2], "cluster": [0, 0], "count": [1, 1], "first": [0, 1]})
    with pytest.raises(ValueError, match="2 signatures .* takes 1; count again"):
        cr.extract(counts, run, max_signatures=1)
