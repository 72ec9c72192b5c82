"""A classifier trained on what `export` gives of a run without labels, on samples that the run never had.

    python downstream.py run RESULTS --program consilience --data FOLDER [--sets digits,mnist-test,minilm] [--draws 3]
    python downstream.py table RESULTS

Samples are split at random before anything else: two thirds are clustered, with K told; the classifier learns from them and from what the run says, and is tested on the others.
It is scikit-learn's MLPClassifier as it comes (one hidden layer of 100), and the same for all. Clusters are matched to classes one to one, on the samples that were clustered.
MNIST keeps its own split. Needs NumPy, SciPy and scikit-learn.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import time

import numpy as np
from program import metrics, run as tell
from scipy.optimize import linear_sum_assignment
from sets import SETS

DRAWS = 3
# Apart from all seeds that settings were chosen by.
FIRST_DRAW = 9100
# A probability below this is not taught: it would make the classifier learn a copy of the sample for nothing.
LEAST = 0.01
ROWS = {
    "pseudo-labels": "`export`: pseudo-labels",
    "all clusters": "the cluster of every sample",
    "weights": "`export --weights`",
    "soft": "`export --soft`",
    "truth": "true classes, to compare",
    "predict": "no classifier: `predict`",
    "run": "the run itself, on its own samples",
}


def split(name, n, draw):
    """Which samples are clustered, and which are not."""
    if name == "mnist":
        return np.arange(60_000), np.arange(60_000, 70_000)
    order = np.random.default_rng(FIRST_DRAW + draw).permutation(n)
    return np.sort(order[: 2 * n // 3]), np.sort(order[2 * n // 3 :])


def matching(classes, clusters, k):
    """The class of each cluster, one to one, so that as many samples as possible are right; -1 of further clusters."""
    counts = np.zeros((k, classes.max() + 1), int)
    known = clusters >= 0
    np.add.at(counts, (clusters[known], classes[known]), 1)
    found = np.full(k, -1)
    rows, columns = linear_sum_assignment(-counts)
    found[rows] = columns
    return found


def softly(features, probabilities):
    """Samples, labels and weights for a classifier that takes no probabilities: each sample once for each class that it may be of."""
    samples, labels = np.nonzero(probabilities >= LEAST)
    return features[samples], labels, probabilities[samples, labels]


def taught(features, labels, weights, seed):
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(random_state=seed).fit(features, labels, sample_weight=weights)


def of_split(args, name, draw):
    """Accuracy on unseen samples, by what was learnt from."""
    features, classes = SETS[name](args.data)
    seen, unseen = split(name, len(classes), draw)
    k = len(np.unique(classes))
    # One scale for all features, as the program has for pixels and embeddings.
    mean, scale = features[seen].mean(axis=0), features[seen].std()
    scaled = ((features - mean) / scale).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        np.save(folder / "seen.npy", features[seen])
        np.save(folder / "unseen.npy", features[unseen])
        np.save(folder / "truth.npy", classes[seen].astype(np.int64))
        seed = FIRST_DRAW + draw
        cluster = ["cluster", folder / "seen.npy", "-k", k, "--seed", seed, "--labels", folder / "truth.npy"]
        of_run = metrics(args.program, *cluster, "--out", folder / "run")
        for word in ("soft", "weights"):
            tell(args.program, "export", folder / "run", f"--{word}", "--quiet", "--out", folder / f"{word}.npz")
        tell(args.program, "export", folder / "run", "--no-features", "--quiet", "--out", folder / "labels.npz")
        tell(args.program, "predict", folder / "run", folder / "unseen.npy", "--quiet", "--out", folder / "new.npy")
        clusters = np.load(folder / "run/assignments.npy")
        of_class = matching(classes[seen], clusters, k)
        yield "run", of_run["acc"]
        yield "predict", float((of_class[np.load(folder / "new.npy")] == classes[unseen]).mean())
        weighted, soft, labelled = (np.load(folder / f"{word}.npz") for word in ("weights", "soft", "labels"))
        X = scaled[seen]
        has = clusters >= 0
        learnt = {
            "pseudo-labels": (X[labelled["sample"]], labelled["y"], None),
            "all clusters": (X[has], clusters[has], None),
            "weights": (X[has], weighted["y"][has], weighted["weight"][has]),
            "soft": softly(X, soft["P"]),
            "truth": (X, classes[seen], None),
        }
        for what, (x, y, weights) in learnt.items():
            found = taught(x, y, weights, seed).predict(scaled[unseen])
            named = found if what == "truth" else of_class[found]
            yield what, float((named == classes[unseen]).mean())


def run(args):
    with open(args.results, "a", encoding="utf-8") as results:
        for name in args.sets.split(","):
            for draw in range(args.first, args.first + args.draws):
                start = time.perf_counter()
                found = {what: round(accuracy, 5) for what, accuracy in of_split(args, name, draw)}
                line = {"set": name, "draw": draw, "seconds": round(time.perf_counter() - start, 1), **found}
                print(json.dumps(line), file=results, flush=True)
                print(line, file=sys.stderr)


def table(args):
    """Means over draws, with each draw in brackets."""
    with open(args.results, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    sets = list(dict.fromkeys(line["set"] for line in lines))
    print("| learnt from | " + " | ".join(sets) + " |")
    print("| --- |" + " --: |" * len(sets))
    for what, words in ROWS.items():
        cells = []
        for name in sets:
            found = [line[what] for line in lines if line["set"] == name]
            cells.append(f"{np.mean(found):.3f} ({', '.join(f'{one:.3f}' for one in found)})")
        print(f"| {words} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("run")
    command.add_argument("results", type=pathlib.Path)
    command.add_argument("--program", default="consilience")
    command.add_argument("--data", type=pathlib.Path)
    command.add_argument("--sets", default="digits,mnist-test,minilm")
    command.add_argument("--draws", type=int, default=DRAWS)
    command.add_argument("--first", type=int, default=0, help="the first draw")
    command.set_defaults(work=run)
    command = commands.add_parser("table")
    command.add_argument("results", type=pathlib.Path)
    command.set_defaults(work=table)
    args = parser.parse_args()
    args.work(args)


if __name__ == "__main__":
    main()
