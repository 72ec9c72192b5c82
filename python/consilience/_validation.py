"""From what users set, and know of samples, to what the engine takes."""

from __future__ import annotations

import json
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from consilience._samples import feature_names


def seed(random_state: Any) -> int | None:
    """What the engine is to start from; `None` leaves it to the settings."""
    if random_state is None:
        return None
    if isinstance(random_state, numbers.Integral):
        if not 0 <= int(random_state) < 2**63:
            raise ValueError(f"random_state: need 0 <= seed < 2**63, got {random_state}")
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def threads(n_jobs: int | None) -> int:
    """How many threads; 0 stands for one a core."""
    if n_jobs is None or n_jobs == -1:
        return 0
    if not isinstance(n_jobs, numbers.Integral) or not 1 <= n_jobs <= 1024:
        raise ValueError(f"n_jobs: need None, -1 (all cores) or a number from 1 to 1024, got {n_jobs!r}")
    return int(n_jobs)


def count(name: str, value: Any, least: int) -> int:
    """A whole number of at least so many."""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= least:
        return int(value)
    raise ValueError(f"{name}: need a whole number, at least {least}, got {value!r}")


def clusters(value: Any) -> tuple[int, int] | None:
    """From how many to how many clusters; `None` leaves it to the data."""
    if isinstance(value, str) and value == "auto":
        return None
    if isinstance(value, tuple) and len(value) == 2:
        least, most = (count("n_clusters", one, 2) for one in value)
        if least > most:
            raise ValueError(f"n_clusters: need (least, most), got {value!r}")
        return least, most
    if not isinstance(value, numbers.Integral):
        raise ValueError(f"n_clusters: need a whole number, (least, most) or 'auto', got {value!r}")
    number = count("n_clusters", value, 1)
    return number, number


def maybe_count(name: str, value: Any, least: int) -> int | None:
    """As `count`, unless nothing is given."""
    return None if value is None else count(name, value, least)


def strictness(name: str, value: Any) -> str | None:
    """How many models: a number of them (9), a share (0.9), or either as it is written on the command line ("90%")."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= 0:
        return str(int(value))
    if isinstance(value, numbers.Real) and 0.0 <= float(value) <= 1.0:
        # Four decimals of a per cent are what a share is held with.
        return f"{round(100 * float(value), 4):.4f}".rstrip("0").rstrip(".") + "%"
    raise ValueError(
        f"{name}: need a number of models such as 9, a share such as 0.9, or '90%', got {value!r}"
    )


def agreement(
    min_agree: Any = None, max_agree: Any = None, min_common: Any = None, min_confidence: Any = None
) -> dict[str, Any]:
    """Settings of the agreement graph, for the engine."""
    if min_confidence is not None and not isinstance(min_confidence, numbers.Real):
        raise ValueError(f"min_confidence: need a number from 0 to 1, got {min_confidence!r}")
    return {
        "min_agree": strictness("min_agree", min_agree),
        "max_agree": strictness("max_agree", max_agree),
        "min_common": strictness("min_common", min_common),
        "min_confidence": None if min_confidence is None else float(min_confidence),
    }


def options(params: Mapping[str, Any]) -> dict[str, Any]:
    """An estimator's parameters, for the engine."""
    settings = params["settings"]
    if settings is not None and not isinstance(settings, Mapping):
        raise ValueError(
            f"settings: need a dict of what config.toml holds, got {type(settings).__name__}"
        )
    effort = params["effort"]
    if not isinstance(effort, str):
        raise ValueError(f"effort: need 'quick', 'default' or 'thorough', got {effort!r}")
    preset = params["preset"]
    if not isinstance(preset, str):
        raise ValueError(f"preset: need a name such as 'auto', got {preset!r}")
    return {
        "preset": preset,
        "effort": effort,
        "settings": None if settings is None else json.dumps(settings, default=_plain),
        "seed": seed(params["random_state"]),
        "rounds": maybe_count("max_rounds", params["max_rounds"], 1),
        "models": maybe_count("n_models", params["n_models"], 1),
        "agreement": agreement(
            params["min_agree"], params["max_agree"], None, params["min_confidence"]
        ),
        "views": views(params.get("views")),
        "threads": threads(params["n_jobs"]),
    }


def views(names: Any) -> list[str]:
    """Names of pretexts."""
    if names is None:
        return []
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise ValueError(f"views: need a list of pretexts such as ['contrastive'], got {names!r}")
    for name in names:
        if not isinstance(name, str):
            raise ValueError(
                f"views: need names of pretexts, got {type(name).__name__}; other features are for the command line (--view FILE)"
            )
    return list(names)


def _plain(value: Any) -> Any:
    # NumPy's numbers and arrays.
    if hasattr(value, "tolist"):
        return value.tolist()
    raise ValueError(f"settings: {value!r} is nothing that config.toml can hold")


def level(verbose: Any) -> int:
    """How much is told."""
    if not isinstance(verbose, (int, float, np.number, np.bool_)):
        raise ValueError(f"verbose: need 0, 1 or 2, got {verbose!r}")
    return max(0, min(int(verbose), 2))


def votes(votes: Any) -> list[NDArray[np.int32] | NDArray[np.int64]]:
    """Votes as a list of arrays, one for each model, of int32 or int64; -1 stands for no vote."""
    if isinstance(votes, Mapping):
        models: Sequence[Any] = list(votes.values())
    elif feature_names(votes) is not None or hasattr(votes, "iloc"):
        # A frame has a column for each model.
        models = _columns(votes)
    elif isinstance(votes, np.ndarray):
        if votes.ndim != 2:
            raise ValueError(
                f"votes: need shape (n_models, n_samples), got {votes.shape}; "
                "for one model, give a list of one array"
            )
        if votes.shape[0] > votes.shape[1]:
            raise ValueError(
                f"votes: need shape (n_models, n_samples), got {votes.shape}: more models than samples; "
                "transpose them (votes.T), or give a list of arrays"
            )
        models = list(votes)
    elif isinstance(votes, Iterable) and not isinstance(votes, str):
        models = list(votes)
    else:
        raise ValueError("votes: need a list with an array of cluster ids for each model")
    if not models:
        raise ValueError("votes: no models; need an array of cluster ids for each")
    arrays = [_ids(f"votes[{index}]", model) for index, model in enumerate(models)]
    lengths = {len(array) for array in arrays}
    if len(lengths) > 1:
        raise ValueError(
            f"votes: models have votes on different numbers of samples: {sorted(lengths)}"
        )
    if lengths == {0}:
        raise ValueError("votes: no samples")
    return arrays


def _columns(frame: Any) -> list[Any]:
    if hasattr(frame, "iloc"):
        return [frame.iloc[:, column] for column in range(frame.shape[1])]
    return [frame[name] for name in feature_names(frame) or []]


def _ids(name: str, labels: Any) -> Any:
    array = np.asarray(labels)
    if array.ndim != 1:
        raise ValueError(f"{name}: need one cluster id for each sample, got shape {array.shape}")
    kind = array.dtype.kind
    if array.dtype in (np.int32, np.int64):
        return array
    if kind in "iub":
        return array.astype(np.int64)
    if kind == "f":
        missing = np.isnan(array)
        whole = np.where(missing, -1.0, array)
        if not np.all(whole == np.floor(whole)):
            raise ValueError(f"{name}: cluster ids have to be whole numbers")
        return whole.astype(np.int64)
    return codes(name, array)


def codes(name: str, labels: NDArray[Any]) -> NDArray[np.int64]:
    """Numbers for labels of any kind, in the order in which they appear; -1 where one is missing."""
    known: dict[Any, int] = {}
    numbered = np.empty(len(labels), np.int64)
    for place, label in enumerate(labels.tolist()):
        if label is None or label != label:
            numbered[place] = -1
            continue
        try:
            numbered[place] = known.setdefault(label, len(known))
        except TypeError as error:
            raise ValueError(f"{name}: {label!r} can't be a label") from error
    return numbered


def labels(name: str, values: Any) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The classes, and the place of each sample's among them; -1 where there is none."""
    array = np.asarray(column_or_1d(values, warn=True))
    kind = array.dtype.kind
    if kind in "fc":
        without = np.isnan(array) | (array == -1)
    elif kind in "iub":
        without = array == -1
    else:
        without = np.array([label is None or label != label or label == -1 for label in array])
    if without.all():
        raise ValueError(f"{name}: no sample has a label; those without one are -1, None or NaN")
    labelled = array[~without]
    if kind == "O" and all(isinstance(label, str) for label in labelled):
        labelled = labelled.astype(str)
    check_classification_targets(labelled)
    classes, found = np.unique(labelled, return_inverse=True)
    places = np.full(len(array), -1, np.int64)
    places[~without] = found
    return classes, places


def as_many(name: str, values: Any, n_samples: int) -> None:
    """Refuse labels that aren't one for each sample."""
    shape = np.asarray(values).shape
    if not shape:
        raise ValueError(f"{name}: need one label for each sample, got {values!r}")
    if shape[0] != n_samples:
        raise ValueError(f"{name} has {shape[0]:,} labels, and X {n_samples:,} samples; need one for each, -1 where there is none")


def given(classes: NDArray[Any], places: NDArray[np.int64]) -> dict[str, Any]:
    """Labels of some samples, for the engine."""
    return {
        "classes": [None if place < 0 else int(place) for place in places],
        "names": [_name(value) for value in classes.tolist()],
    }


def _name(value: Any) -> str:
    # Whole numbers are floats where some are missing.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def numbers_or_words(names: list[str]) -> NDArray[Any]:
    """Whole numbers, if all are."""
    try:
        return np.array([int(name) for name in names])
    except ValueError:
        return np.array(names)


def known(
    n_samples: int, of: str, must_link: Any, cannot_link: Any, given: dict[str, Any] | None = None
) -> dict[str, Any] | None:
    """What is known of some samples, for the engine; `None` if nothing is. `of`: what they are rows of."""
    links = [
        _pairs(name, pairs, n_samples, of)
        for name, pairs in (("must_link", must_link), ("cannot_link", cannot_link))
    ]
    if must_link is None and cannot_link is None and given is None:
        return None
    has_links = must_link is not None or cannot_link is not None
    return {"given": given, "must_link": links[0], "cannot_link": links[1], "has_links": has_links}


def _pairs(name: str, pairs: Any, n_samples: int, of: str) -> list[list[int]]:
    array = np.asarray([] if pairs is None else pairs)
    if array.size == 0:
        return []
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"{name}: need pairs of rows of {of}, shape (n_pairs, 2), got shape {array.shape}")
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name}: need rows of {of}, whole numbers from 0, got {array.dtype}")
    outside = np.flatnonzero(((array < 0) | (array >= n_samples)).any(axis=1))
    if len(outside):
        place = outside[0]
        raise ValueError(
            f"{name}[{place}]: {of} has no rows {array[place].tolist()}; it has {n_samples} samples, counted from 0"
        )
    alone = np.flatnonzero(array[:, 0] == array[:, 1])
    if len(alone):
        place = alone[0]
        raise ValueError(f"{name}[{place}]: row {array[place, 0]} is paired with itself")
    rows: list[list[int]] = array.tolist()
    return rows
