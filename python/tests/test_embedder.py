"""Encoders as transformers."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from consilience import Consilience, Embedder


@parametrize_with_checks([Embedder(width=2, epochs=1)])
def test_check_estimator(estimator: Any, check: Any) -> None:
    check(estimator)


def test_in_a_pipeline_and_pickled(blobs: Any) -> None:
    X, _ = blobs
    pipeline = make_pipeline(Embedder(width=4, epochs=2), Consilience(3, effort="quick"))
    assert len(pipeline.fit(X).predict(X)) == len(X)
    embedder = pipeline[0]
    again = pickle.loads(pickle.dumps(embedder))
    assert np.array_equal(again.transform(X), embedder.transform(X))
    assert list(embedder.get_feature_names_out())[:2] == ["embedder0", "embedder1"]


def test_the_command_line_embeds_alike(blobs: Any, tmp_path: Path) -> None:
    X, _ = blobs
    X = X.astype(np.float32)
    np.save(tmp_path / "x.npy", X)
    embedder = Embedder(width=4, epochs=2).fit(X)
    embedder.save(tmp_path / "own.safetensors")
    words = "embed x.npy --pretext autoencoder --width 4 --epochs 2 --out y.npy --quiet"
    subprocess.run([sys.executable, "-m", "consilience", *words.split()], cwd=tmp_path, check=True)
    assert np.array_equal(np.load(tmp_path / "y.npy"), embedder.transform(X))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"pretext": "jigsaw"}, "pretext: need"),
        ({"width": 0}, "width: need"),
        ({"settings": {"temperature": 0.0}}, "temperature: need more than 0"),
        ({"settings": {"temprature": 1.0}}, "temprature"),
        ({"preset": "paper"}, "preset"),
    ],
)
def test_settings_that_cannot_be(blobs: Any, params: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Embedder(**params).fit(blobs[0])
