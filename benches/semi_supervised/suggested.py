"""Labels for the samples that `suggest` names, against as many random ones.

    python suggested.py --program consilience --data FOLDER [--sets optdigits,minilm] [--count 20] [--draws 5] [--first 0]

Each draw is another seed of `cluster --effort quick`, with K told. The labels go to `train --method propagation`. Accuracy is that of all samples without a given label, by name of the
class: classes without a label count as wrong. Needs NumPy.
"""

import argparse
import csv
import pathlib
import tempfile

import numpy as np
from program import metrics, run as tell
from sets import SETS

# Apart from all seeds that settings were chosen by.
FIRST_DRAW = 8000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="consilience")
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--sets", default="optdigits,minilm")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first draw")
    args = parser.parse_args()
    print("| set | draw | suggested | classes | random | classes |\n| --- | --: | --: | --: | --: | --: |")
    for name in args.sets.split(","):
        features, classes = SETS[name](args.data)
        k, means = len(np.unique(classes)), []
        for draw in range(args.first, args.first + args.draws):
            seed = FIRST_DRAW + draw
            with tempfile.TemporaryDirectory() as folder:
                folder = pathlib.Path(folder)
                np.save(folder / "x.npy", features)
                np.save(folder / "y.npy", classes.astype(np.int64))

                def accuracy(samples, words):
                    given = np.full(len(classes), -1, np.int64)
                    given[samples] = classes[samples]
                    np.save(folder / f"{words}.npy", given)
                    train = ["train", folder / "x.npy", "--labels-partial", folder / f"{words}.npy", "--method", "propagation"]
                    # With all labels of one class, there is nothing to learn.
                    if len(set(classes[samples])) == 1:
                        return float((classes[given < 0] == classes[samples[0]]).mean())
                    found = metrics(args.program, *train, "--labels", folder / "y.npy", "--out", folder / words)
                    return found["given"]["accuracy"]

                metrics(args.program, "cluster", folder / "x.npy", "-k", k, "--effort", "quick", "--seed", seed, "--out", folder / "run")
                tell(args.program, "suggest", folder / "run", "-n", args.count, "--quiet", "--out", folder / "next.csv")
                with open(folder / "next.csv", encoding="utf-8") as file:
                    suggested = [int(row["sample"]) for row in csv.DictReader(file)]
                chosen = np.random.default_rng(seed).choice(len(classes), args.count, replace=False)
                row = []
                for samples, words in ((suggested, "suggested"), (chosen, "random")):
                    row += [accuracy(samples, words), len(set(classes[samples]))]
                means.append(row)
                print(f"| {name} | {draw} | {row[0]:.3f} | {row[1]} | {row[2]:.3f} | {row[3]} |", flush=True)
        mean = np.mean(means, axis=0)
        print(f"| {name} | mean | {mean[0]:.3f} | {mean[1]:.1f} | {mean[2]:.3f} | {mean[3]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
