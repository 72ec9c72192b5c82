"""Runs of Python are runs of the command line, and the other way round."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from conftest import QUICK, files, quick

from consilience import Consilience, Predictor

#: Files that say when, on what and from where a run was made. `run.h5` is written by builds with HDF5 alone.
OF_THE_MACHINE = {"manifest.json", "metrics.json", "report.html", "run.h5"}


def settings_file(folder: Path) -> Path:
    """`QUICK` as a file of settings."""
    path = folder / "settings.toml"
    path.write_text(
        "candidates = 0\ncommunities = 0\n"
        "[first]\nepochs = 1\nmin_steps = 200\nanneal = false\n[network]\nhidden = [32]\n"
    )
    return path


def assert_same(ours: Path, theirs: Path) -> None:
    """Compares runs byte for byte, and their numbers but for times."""
    ours_files, theirs_files = dict(files(ours)), dict(files(theirs))
    for name in OF_THE_MACHINE:
        ours_files.pop(name, None)
        theirs_files.pop(name, None)
    assert sorted(ours_files) == sorted(theirs_files)
    assert len(ours_files) > 8
    different = [name for name in ours_files if ours_files[name] != theirs_files[name]]
    assert not different, different
    numbers = [json.loads((run / "metrics.json").read_text()) for run in (ours, theirs)]
    for timed in ("seconds", "peak_rss_mb", "machine", "profile", "threads"):
        [found.pop(timed, None) for found in numbers]
    for found in numbers:
        found["graph"].pop("seconds")
        [of_round.pop("seconds") for of_round in found["rounds"]]
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, "far"])
def test_arrays_give_the_bytes_of_the_command_line(
    blobs: Any, command: Any, tmp_path: Path, dtype: Any
) -> None:
    X = blobs[0] + 1e9 if dtype == "far" else blobs[0].astype(dtype)
    np.save(tmp_path / "x.npy", X)
    command(
        "cluster", "x.npy", "-k", 3, "--preset", "tabular", "--models", 2, "--rounds", 1, "--seed", 5,
        "--config", settings_file(tmp_path), "--out", "theirs", "--quiet", cwd=tmp_path,
    )  # fmt: skip
    model = quick(3, random_state=5).fit(X)
    model.save(tmp_path / "ours", X, data="x.npy")
    assert_same(tmp_path / "ours", tmp_path / "theirs")
    again = Consilience.load(tmp_path / "theirs")
    for name in ("labels_", "confidences_", "pseudo_labels_", "agreement_", "margin_", "votes_"):
        assert np.array_equal(getattr(again, name), getattr(model, name)), name
    assert (again.predict(X) == model.labels_).all()
    assert again.n_features_in_ == 4 and again.n_clusters == 3


def test_frames_give_the_bytes_of_tables(blobs: Any, command: Any, tmp_path: Path) -> None:
    frame = pd.DataFrame(blobs[0], columns=["north", "east", "height", "speed"])
    frame.to_parquet(tmp_path / "x.parquet", index=False)
    command(
        "cluster", "x.parquet", "-k", 3, "--models", 2, "--rounds", 1,
        "--config", settings_file(tmp_path), "--out", "theirs", "--quiet", cwd=tmp_path,
    )  # fmt: skip
    model = Consilience(3, n_models=2, max_rounds=1, settings=QUICK).fit(frame)
    model.save(tmp_path / "ours", data=["x.parquet"])
    assert_same(tmp_path / "ours", tmp_path / "theirs")


def test_the_command_line_takes_our_runs(blobs: Any, command: Any, tmp_path: Path) -> None:
    X = blobs[0].astype(np.float32)
    np.save(tmp_path / "x.npy", X)
    model = quick(3).fit(X)
    model.save(tmp_path / "run", data="x.npy")
    command("predict", "run", "x.npy", "--out", "found.csv", "--quiet", cwd=tmp_path)
    found = pd.read_csv(tmp_path / "found.csv")
    assert (found["cluster"] == model.labels_).all()
    assert np.array_equal(found["confidence"].astype(np.float32), model.confidences_)
    command("report", "run", cwd=tmp_path)
    assert (tmp_path / "run/report.html").is_file()
    command("export", "run", "--out", "train.npz", cwd=tmp_path)
    # The same settings again.
    command(
        "cluster", "x.npy", "--config", "run/config.toml", "--out", "again", "--quiet", cwd=tmp_path
    )
    assert_same(tmp_path / "run", tmp_path / "again")


def test_predictors_are_of_folders_and_travel(blobs: Any, tmp_path: Path) -> None:
    frame = pd.DataFrame(blobs[0], columns=["north", "east", "height", "speed"])
    model = quick(3).fit(frame)
    model.save(tmp_path / "run")
    predictor = Predictor(tmp_path / "run", n_jobs=1)
    assert (predictor.n_features, predictor.n_clusters) == (4, 3)
    assert predictor.feature_names == list(frame.columns)
    for one in (predictor, pickle.loads(pickle.dumps(predictor))):
        labels, confidences = one.predict_with_confidence(frame)
        assert (labels == model.labels_).all() and np.array_equal(confidences, model.confidences_)
    with pytest.raises(ValueError, match="another order"):
        predictor.predict(frame[frame.columns[::-1]])
    with pytest.raises(ValueError, match="no column 'north'"):
        predictor.predict(frame.rename(columns={"north": "south"}))
    with pytest.raises(ValueError, match="X has 2 features, but Predictor is expecting 4"):
        predictor.predict(frame.to_numpy()[:, :2])


def test_folders_that_are_no_runs_are_refused(blobs: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such run folder"):
        Predictor(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="not a run folder"):
        Consilience.load(tmp_path / "empty")
    model = quick(3).fit(blobs[0])
    run = tmp_path / "run"
    model.save(run)
    with pytest.raises(ValueError, match="the folder isn't empty; name another, or remove it"):
        model.save(run)
    for call in (model.report, lambda X: model.save(tmp_path / "other", X), lambda X: model.cut(X, 2)):
        with pytest.raises(ValueError, match="X has 5 samples, and the run was of 240; give the X of fit"):
            call(blobs[0][:5])
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "format": 99, "version": "9.9"}))
    with pytest.raises(ValueError, match="written by consilience 9.9 in format 99"):
        Predictor(run)
    (run / "manifest.json").write_text(json.dumps(manifest))
    weights = run / "models/model-00.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    with pytest.raises(ValueError, match="model-00.safetensors"):
        Predictor(run)


def test_reports_are_shown_and_saved(blobs: Any, tmp_path: Path) -> None:
    X, _ = blobs
    report = quick(3).fit(X).report(X)
    shown = report._repr_html_()
    assert "240 samples x 4 features, 3 clusters" in shown and shown.count("<tr>") == 4
    assert "cluster sizes" in str(report)
    report.save(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.startswith("<!") and "</html>" in page and len(page) > 20_000
    assert len(quick(3).fit(X).report().html) < len(page)


def test_the_wheel_brings_the_command(command: Any) -> None:
    assert command("--version").stdout.startswith("consilience ")
    assert "unrecognized subcommand 'clutser'" in command("clutser", code=2).stderr
    told = command("data", "info", "digits").stdout
    assert "1,797" in told


def test_maps_and_trees_are_drawn(blobs: Any) -> None:
    matplotlib.use("agg")
    X, _ = blobs
    model = Consilience(3, effort="quick", random_state=0).fit(X)
    report = model.report(X)
    drawn = report.plot_map()
    assert sum(len(group.get_offsets()) for group in drawn.collections) == len(X)
    assert [text.get_text() for text in drawn.texts] == ["0", "1", "2"]
    leaves = report.plot_tree().get_xticklabels()
    assert 3 <= len(leaves) <= 6
    with pytest.raises(ValueError, match=r"report\(X\)"):
        model.report().plot_map()
    with pytest.raises(ValueError, match="tree"):
        quick(3).fit(X).report().plot_tree()
