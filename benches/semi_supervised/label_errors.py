"""Labels of which some are wrong: which of them `--label-errors` names, and which cleanlab.

    python label_errors.py --program consilience --data FOLDER [--set mnist-test] [--share 0.05] [--method agreement] [--seed 0]

A share of the labels is replaced by another class, at random. All labels are given to `train`.
- `label_errors.csv` is what that run says.
- cleanlab's find_label_issues, with its defaults, takes probabilities. Those of the same run's networks (`predict`: a cluster and its confidence; what is left is shared equally) are in-sample: they have
  learnt the labels. cleanlab asks for others: so two more runs learn from one half of the labels each, and their `probabilities.npy` of the other half is taken.
Needs NumPy and cleanlab (2.9.0 here).
"""

import argparse
import csv
import pathlib
import sys
import tempfile

import numpy as np
from program import metrics, run as tell
from sets import SETS


def flipped(classes, share, rng):
    """Labels, a share of them of another class."""
    labels = classes.astype(np.int64).copy()
    wrong = rng.choice(len(labels), round(share * len(labels)), replace=False)
    k = labels.max() + 1
    labels[wrong] = (labels[wrong] + rng.integers(1, k, len(wrong))) % k
    return labels


def said(name, found, is_wrong):
    right = int(is_wrong[found].sum())
    precision, recall = right / max(len(found), 1), right / int(is_wrong.sum())
    print(f"| {name} | {len(found)} | {precision:.3f} | {recall:.3f} |", flush=True)


def cleanlabs(labels, probabilities):
    from cleanlab.filter import find_label_issues

    return find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="consilience")
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--set", default="mnist-test", choices=SETS)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--method", default="agreement")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    features, classes = SETS[args.set](args.data)
    labels = flipped(classes, args.share, rng)
    is_wrong = labels != classes
    n, k = len(labels), labels.max() + 1
    is_first = rng.permutation(n) < n // 2
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        np.save(folder / "x.npy", features)

        def train(given, name):
            np.save(folder / f"{name}.npy", given)
            words = ["train", folder / "x.npy", "--labels-partial", folder / f"{name}.npy", "--method", args.method]
            found = metrics(args.program, *words, "--seed", args.seed, "--out", folder / name)
            print(f"{name}: {found['seconds']:.0f} s", file=sys.stderr)
            return folder / name

        print(f"{args.set}, {int(is_wrong.sum())} of {n} labels wrong, method {args.method}\n")
        print("| | named | precision | recall |\n| --- | --: | --: | --: |")
        run = train(labels, "all")
        with open(run / "label_errors.csv", encoding="utf-8") as file:
            said("`label_errors.csv`", np.array([int(row["sample"]) for row in csv.DictReader(file)], int), is_wrong)
        tell(args.program, "predict", run, folder / "x.npy", "--quiet", "--out", folder / "own.csv")
        probabilities = np.zeros((n, k))
        with open(folder / "own.csv", encoding="utf-8") as file:
            for row, line in enumerate(csv.DictReader(file)):
                sure = float(line["confidence"])
                probabilities[row] = (1 - sure) / (k - 1)
                probabilities[row, int(line["cluster"])] = sure
        said("cleanlab, the same run's probabilities (in-sample)", cleanlabs(labels, probabilities), is_wrong)
        for half, name in ((is_first, "first"), (~is_first, "second")):
            run = train(np.where(half, labels, -1), name)
            probabilities[~half] = np.load(run / "probabilities.npy")[~half]
        said("cleanlab, probabilities of the other half's run", cleanlabs(labels, probabilities), is_wrong)


if __name__ == "__main__":
    main()
