"""Classifiers from a few labels: this program's methods, and scikit-learn's, on the same draws.

    python semi_supervised.py run RESULTS --program consilience --data FOLDER [--sets optdigits,minilm,mnist] [--labels 1,10]
    python semi_supervised.py table RESULTS

A draw has so many labels of each class. Accuracy is that of samples without a given label, by name of the class: nothing is matched.
What is in RESULTS already isn't done again.
Needs NumPy and, for the peers, scikit-learn.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import time

import numpy as np
from program import metrics
from sets import SETS

METHODS = ["supervised", "ladder", "confidence", "consistency", "graph", "propagation", "agreement"]
# What may be wrong put aside: `agreement+steady` is agreement with this switch on.
SWITCHES = {
    "tau_per_class": "[few_labels]\ntau_per_class = true\n",
    "steady": "[few_labels]\nsteady = true\n",
    "co_teaching": "[few_labels]\nco_teaching = true\n",
    "doubt": "[few_labels]\ndoubt = true\n",
    "soft": "[few_labels]\nsoft = true\n",
    "label_smoothing": "[network]\nlabel_smoothing = 0.1\n",
}
PEERS = ["LabelSpreading", "SelfTrainingClassifier", "LogisticRegression"]
DRAWS = 3
# Apart from the seeds of all draws that settings were chosen by.
FIRST_DRAW = 7000


def drawn(classes, of_each, draw):
    """The labels of `of_each` random samples of each class, and -1 for all others."""
    rng = np.random.default_rng(FIRST_DRAW + draw)
    given = np.full(len(classes), -1, dtype=np.int64)
    for label in np.unique(classes):
        chosen = rng.choice(np.flatnonzero(classes == label), of_each, replace=False)
        given[chosen] = label
    return given


def ours(program, folder, method):
    """Accuracy and seconds of a run on the files in `folder`."""
    name, _, switches = method.partition("+")
    command = [program, "train", folder / "x.npy", "--labels-partial", folder / "given.npy", "--method", name]
    if switches:
        settings = folder / f"{method}.toml"
        settings.write_text(SWITCHES[switches])
        command += ["--config", settings]
    found = metrics(*command, "--labels", folder / "y.npy", "--out", folder / f"run-{method}")
    return found["given"]["accuracy"], found["seconds"]


def theirs(peer, features, classes, given):
    """The same of a method of scikit-learn's, with settings that are good for it: a graph of neighbours, and much of their answer."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

    linear = LogisticRegression(C=10, max_iter=1000)
    model = {
        "LabelSpreading": LabelSpreading(kernel="knn", n_neighbors=10, alpha=0.99, max_iter=300),
        "SelfTrainingClassifier": SelfTrainingClassifier(linear, threshold=0.75),
        "LogisticRegression": linear,
    }[peer]
    start = time.perf_counter()
    rest = given < 0
    if peer == "LogisticRegression":
        model.fit(features[~rest], given[~rest])
    else:
        model.fit(features, given)
    found = model.transduction_[rest] if peer == "LabelSpreading" else model.predict(features[rest])
    return float((found == classes[rest]).mean()), time.perf_counter() - start


def run(args):
    done = {key(line) for line in read(args.results)} if args.results.exists() else set()
    with open(args.results, "a", encoding="utf-8") as results:
        for name in args.sets.split(","):
            features, classes = SETS[name](args.data)
            scaled = features / features.max() if features.dtype == np.uint8 else features
            for of_each in map(int, args.labels.split(",")):
                for draw in range(args.first, args.first + args.draws):
                    given = drawn(classes, of_each, draw)
                    with tempfile.TemporaryDirectory() as folder:
                        folder = pathlib.Path(folder)
                        np.save(folder / "x.npy", features)
                        np.save(folder / "y.npy", classes.astype(np.int64))
                        np.save(folder / "given.npy", given)
                        for method in args.methods.split(","):
                            if (name, of_each, draw, method) in done:
                                continue
                            is_peer = method in PEERS
                            accuracy, seconds = (
                                theirs(method, scaled, classes, given) if is_peer else ours(args.program, folder, method)
                            )
                            line = {"set": name, "of_each": of_each, "draw": draw, "method": method}
                            line |= {"accuracy": round(accuracy, 5), "seconds": round(seconds, 1)}
                            print(json.dumps(line), file=results, flush=True)
                            print(line, file=sys.stderr)


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def key(line):
    return line["set"], line["of_each"], line["draw"], line["method"]


def table(args):
    """Means over draws, with the worst in brackets."""
    lines = read(args.results)
    columns = list(dict.fromkeys((line["set"], line["of_each"]) for line in lines))
    print("| method | " + " | ".join(f"{name}, {n} a class" for name, n in columns) + " |")
    print("| --- |" + " --: |" * len(columns))
    for method in dict.fromkeys(METHODS + PEERS + [line["method"] for line in lines]):
        cells = []
        for name, n in columns:
            found = [line for line in lines if (line["set"], line["of_each"], line["method"]) == (name, n, method)]
            accuracies = [line["accuracy"] for line in found]
            mean = sum(accuracies) / max(len(accuracies), 1)
            cells.append(f"{mean:.3f} ({min(accuracies):.3f})" if accuracies else "-")
        if any(cell != "-" for cell in cells):
            print(f"| {method} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("run")
    command.add_argument("results", type=pathlib.Path)
    command.add_argument("--program", default="consilience")
    command.add_argument("--data", type=pathlib.Path, required=True)
    command.add_argument("--sets", default="optdigits,minilm")
    command.add_argument("--labels", default="1,10")
    command.add_argument("--methods", default=",".join(METHODS + PEERS))
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
