"""What is run: sets, settings, peers, and the marks that the results are held against."""

import os
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PEERS_FOLDER = HERE.parent / "peers" / "accuracy"
MADE = HERE / "made"  # sets that made.py writes


@dataclass(frozen=True)
class DataSet:
    """A benchmark set: where its files lie in the folder of benchmark data, and what is done to it for peers."""

    k: int
    about: str  # for people
    data: tuple[str, ...]
    labels: tuple[str, ...] = ()  # none: they lie beside the features
    divisor: int = 1  # what peers divide the features by, as our automatic scaling does
    sparse_text: bool = False
    truth: str = "y"  # the name of the array, or of the column of a table
    ignored: tuple[str, ...] = ()  # columns of a table that are left out
    made: bool = False  # by made.py, and no file of the folder

    def files(self, folder: Path | None) -> list[Path]:
        """Paths of the features, for readers other than our program."""
        if self.data == ("digits",):
            return [ROOT / "data" / "embedded" / "digits.npz"]
        if self.made:
            return [MADE / name for name in self.data]
        return [require(folder) / name for name in self.data]

    def arguments(self, folder: Path | None, k: str | None = None) -> list[str]:
        """How our program is told of the set; `k`: in place of its own."""
        if self.data == ("digits",):
            return ["digits", "-k", k or str(self.k)]
        found = [str(path) for path in self.files(folder)] + ["-k", k or str(self.k)]
        if self.ignored:
            found += ["--label-column", self.truth, "--ignore-column", ",".join(self.ignored), "--missing", "drop"]
        return found + [word for name in self.labels for word in ("--labels", str(require(folder) / name))]


SETS = {
    "digits": DataSet(10, "1,797 images of 8 x 8", ("digits",), divisor=16),
    "optdigits": DataSet(10, "5,620 images of 8 x 8", ("optdigits/optdigits.npz",), divisor=16),
    "mnist": DataSet(
        10,
        "70,000 images of 28 x 28",
        ("mnist/train-images-idx3-ubyte.gz", "mnist/t10k-images-idx3-ubyte.gz"),
        ("mnist/train-labels-idx1-ubyte.gz", "mnist/t10k-labels-idx1-ubyte.gz"),
        divisor=255,
    ),
    "20news-tfidf": DataSet(
        20, "18,846 texts, TF-IDF", ("20newsgroups/20news-tfidf2000-stripped.npz",), sparse_text=True
    ),
    "20news-minilm": DataSet(20, "18,221 texts, embedded", ("20newsgroups/20news-minilm384.npz",)),
    "satimage": DataSet(6, "6,435 x 36, satellite bands", ("more/satimage.npz",), divisor=255),
    "coil20": DataSet(20, "1,440 images of 32 x 32", ("more/coil20.npz",), divisor=255),
    "r8": DataSet(8, "7,674 texts, TF-IDF, classes of 51 to 3,923", ("more/r8-tfidf2000.npz",), sparse_text=True),
    "optdigits-uneven": DataSet(
        10, "1,698 images of 8 x 8, classes of 18 to 550", ("more/optdigits-uneven.npz",), divisor=16
    ),
    "penguins": DataSet(
        3, "342 x 4, a table", ("more/penguins.csv",), truth="species", ignored=("island", "sex", "year")
    ),
    "gaussians": DataSet(20, "50,000 x 64, 20 Gaussians", ("gaussians.npz",), made=True),
}


@dataclass(frozen=True)
class Setting:
    """How our program is run: extra words of the command line, and lines of TOML for `--config`."""

    arguments: tuple[str, ...] = ()
    toml: str = ""
    k: str | None = None  # what `-k` is told in place of the number of classes


FOUND_K = "found-k"
# An ablation is a line here: Setting(("--models", "10")), or Setting(toml="[network]\nlabel_weight = 1.0").
SETTINGS = {
    "auto": Setting(),
    FOUND_K: Setting(k="auto"),
    "no-communities": Setting(toml="communities = 0\n"),
    "no-judge": Setting(toml="judge = false\n"),  # the networks' consensus: aligned and averaged
    "first-round": Setting(("--rounds", "1")),
    "paper": Setting(("--preset", "paper")),
    # As many epochs as all rounds have, without pseudo-labels, for images (on text and embeddings, `auto` is plain).
    "plain": Setting(toml="rounds = 1\n[first]\nepochs = 21\nmin_steps = 1750\nanneal = false\n"),
    # The paper's naive ways to label, and its other ablations.
    "label-clusters": Setting(("--labelling", "clusters")),
    "label-over-clusters": Setting(("--labelling", "over-clusters")),
    "label-confidence": Setting(("--labelling", "confidence")),
    "one-model": Setting(("--models", "1"), toml="candidates = 0\n"),
    "no-candidates": Setting(toml="candidates = 0\n"),
    "ladder-dot": Setting(toml='[network]\nobjective = "dot-product"\n'),
    "k-means": Setting(("--member", "k-means", "--models", "1", "--rounds", "1")),  # on the program's own features
}


@dataclass(frozen=True)
class Mark:
    """What a set has to reach: mean ACC, seconds of the slowest run, and how many seeds are enough to say so."""

    acc: float
    seconds: float
    seeds: int = 3
    precision: float | None = None  # mean ACC of the pseudo-labels ...
    coverage: float | None = None  # ... at this mean coverage at least


MARKS = {
    "digits": Mark(0.93, 60, seeds=5),
    "optdigits": Mark(0.96, 120, seeds=5),
    "mnist": Mark(0.985, 900, precision=0.995, coverage=0.80),
    "20news-tfidf": Mark(0.40, 600),
    "20news-minilm": Mark(0.58, 300),
    "satimage": Mark(0.82, 120, seeds=5),
    "coil20": Mark(0.84, 300, seeds=5),
    "r8": Mark(0.55, 300, seeds=5),
    "optdigits-uneven": Mark(0.88, 120, seeds=5),
    "penguins": Mark(0.91, 60, seeds=5),
    "gaussians": Mark(0.999, 600),
}


@dataclass(frozen=True)
class Peer:
    """A method of `peers.py`: its name in the table, and its seeds."""

    title: str
    seeds: tuple[int, ...] = (0, 1, 2)
    slow: tuple[str, ...] = ()  # sets on which one seed is enough of a wait


PEERS = {
    "k-means": Peer("k-means", tuple(range(10))),
    "gmm": Peer("Gaussian mixture", slow=("mnist",)),
    "spectral": Peer("spectral clustering", slow=("mnist",)),
    "hdbscan": Peer("HDBSCAN", (0,)),  # nothing in it is random
    "evoc": Peer("EVoC"),
    "evoc-k": Peer("EVoC, told K"),
    "leiden": Peer("Leiden, nearest K"),
    "umap-k-means": Peer("UMAP, k-means"),
    "umap-gmm": Peer("UMAP, Gaussian mixture"),
    "umap-hdbscan": Peer("UMAP, HDBSCAN"),
    "evoc-own": Peer("EVoC, its own layer"),
    "leiden-1": Peer("Leiden, resolution 1"),
}
# Those that are told no K in any way.
UNTOLD = ("hdbscan", "evoc-own", "leiden-1", "umap-hdbscan")


def peer_seeds(method: str, data_set: str) -> tuple[int, ...]:
    peer = PEERS[method]
    return peer.seeds[:1] if data_set in peer.slow else peer.seeds


def data_folder(given: str | None) -> Path | None:
    """The folder of benchmark files, as given or as $CONSILIENCE_DATA names it."""
    named = given or os.environ.get("CONSILIENCE_DATA")
    return Path(named).expanduser().resolve() if named else None


def require(folder: Path | None) -> Path:
    if folder is None:
        raise SystemExit("this set needs the benchmark files: --data DIR or $CONSILIENCE_DATA has to name their folder")
    return folder
