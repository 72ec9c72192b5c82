"""The engine: see ``python/src/``. Its names are not for users; they may change from version to version."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

__version__: str

class Results(TypedDict):
    labels: NDArray[np.int64]
    confidences: NDArray[np.float32]
    pseudo_labels: NDArray[np.int64]
    agreement: NDArray[np.int64]
    margin: NDArray[np.int64]

class RunResults(Results):
    not_shown: str | None

class VotesResults(Results):
    complete: bool
    diversity: float | None
    n_signatures: int

class Counts(TypedDict):
    signature: list[str]
    cluster: list[int]
    count: list[int]
    first: list[str]

class LabelledCounts(TypedDict):
    signature: list[str]
    label: NDArray[np.int64]
    agreement: NDArray[np.int64]
    margin: NDArray[np.int64]
    sizes: list[int]
    n_found: int
    n_signatures: int
    n_samples: int
    n_labelled: int

class Model:
    @property
    def n_features(self) -> int: ...
    def vote(
        self, x: NDArray[Any], n_threads: int = 0
    ) -> tuple[
        NDArray[np.int64],
        NDArray[np.float32],
        NDArray[np.float32],
        NDArray[np.int64] | list[str],
    ]: ...
    def has_numbers(self) -> bool: ...
    def for_prediction(self) -> Model: ...
    def label_counts(
        self, counts: Counts, agreement: Mapping[str, Any], n_threads: int = 0
    ) -> LabelledCounts: ...
    def predict(
        self, x: NDArray[Any], n_threads: int = 0
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]: ...
    def probabilities(
        self, x: NDArray[Any], n_threads: int = 0
    ) -> NDArray[np.float32] | None: ...
    def cut(self, x: NDArray[Any], k: int, n_threads: int = 0) -> tuple[Model, Results]: ...
    def suggest(self, x: NDArray[Any], count: int, n_threads: int = 0) -> NDArray[np.int64]: ...
    def save(
        self,
        path: str | os.PathLike[str],
        x: NDArray[Any] | None = None,
        data: Sequence[str] | None = None,
    ) -> None: ...
    def report(self, x: NDArray[Any] | None = None) -> str: ...
    def places(self, x: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float32]]: ...
    def file(self, name: str) -> bytes: ...
    def config(self) -> str: ...
    @staticmethod
    def from_files(format: int, version: str, files: Mapping[str, bytes]) -> Model: ...

class Encoder:
    @property
    def n_features(self) -> int: ...
    @property
    def width(self) -> int: ...
    def embed(self, x: NDArray[Any], n_threads: int = 0) -> NDArray[np.float32]: ...
    def save(self, path: str | os.PathLike[str]) -> None: ...
    @staticmethod
    def from_bytes(bytes: bytes) -> Encoder: ...

def train_encoder(
    x: NDArray[Any],
    pretext: str,
    preset: str,
    settings: str,
    *,
    seed: int = 0,
    n_threads: int = 0,
    feature_names: Sequence[str] | None = None,
    verbose: int = 0,
    tell: Callable[..., None] | None = None,
) -> tuple[Encoder, int, float]: ...
def load_encoder(path: str | os.PathLike[str]) -> Encoder: ...
def main(words: Sequence[str]) -> int: ...
def fit(
    x: NDArray[Any],
    n_clusters: tuple[int, int] | None,
    options: Mapping[str, Any],
    *,
    given: Mapping[str, Any] | None = None,
    known: Mapping[str, Any] | None = None,
    feature_names: Sequence[str] | None = None,
    verbose: int = 0,
    tell: Callable[..., None] | None = None,
) -> tuple[Model, RunResults]: ...
def load(path: str | os.PathLike[str]) -> tuple[Model, Results]: ...
def pseudo_label(
    votes: Sequence[NDArray[Any]],
    n_clusters: int,
    agreement: Mapping[str, Any],
    *,
    confidences: NDArray[np.float32] | None = None,
    consensus: str = "auto",
    known: Mapping[str, Any] | None = None,
    n_threads: int = 0,
) -> VotesResults: ...
def evaluate(
    truth: NDArray[np.int64] | Sequence[str], found: NDArray[np.int64] | Sequence[str]
) -> tuple[str, list[str]]: ...
def k_range(
    x: NDArray[Any],
    first: int,
    last: int,
    options: Mapping[str, Any],
    *,
    feature_names: Sequence[str] | None = None,
    verbose: int = 0,
    tell: Callable[..., None] | None = None,
) -> str: ...
def k_range_of_votes(
    votes: Sequence[NDArray[Any]],
    first: int,
    last: int,
    agreement: Mapping[str, Any],
    n_threads: int = 0,
) -> str: ...
