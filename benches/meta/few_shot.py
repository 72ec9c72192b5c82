"""What a start that was learnt from tasks is worth on new ones, and whether the nearest task is the related one.

    python few_shot.py run RESULTS --program consilience --data FOLDER [--sets optdigits,mnist] [--draws 3] [--unseen classes]
    python few_shot.py train RESULTS --program consilience --data FOLDER [--method supervised]
    python few_shot.py nearest RESULTS --program consilience --data FOLDER [--sets optdigits,mnist] [--draws 10]
    python few_shot.py table RESULTS

Sixteen views of digits are a task each: rotated by 0, 90, 180 or 270 degrees, mirrored or not, inverted or not. A digit in a view is a class. A draw divides
the digits into seven for training and three for testing. With `--unseen classes` that is done in each view apart, so that no class of a test was seen
before, but its digit may have been, in another view. With `--unseen digits` it is done once, so that no digit of a test was seen, in any view. Needs NumPy.
"""

import argparse
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

VIEWS = [
    f"{ink}{side}{turn}" for ink in ("", "inverted-") for side in ("", "mirrored-") for turn in ("0", "90", "180", "270")
]
# Those that starts are tested on, and that the nearest is sought for: plain, rotated, mirrored, inverted.
TESTED = ["0", "90", "mirrored-0", "inverted-0"]
TRAINING = 7
OF_CLASS = 250
SHOTS = [1, 5, 10]
# A random start has its best rate on the training tasks; others have the rate that they were learnt with.
RATES = [0.01, 0.03, 0.1, 0.3, 1.0]
# Apart from the draws that defaults were chosen with, which were 0 and 1.
FIRST_DRAW = 100


def optdigits(folder):
    import numpy as np

    with np.load(folder / "optdigits/optdigits.npz") as file:
        return file["X"].reshape(-1, 8, 8).astype(np.float32), file["y"]


def mnist(folder):
    """The test images: as many as are needed."""
    import numpy as np

    def read(name, offset):
        with gzip.open(folder / "mnist" / name) as file:
            return np.frombuffer(file.read(), np.uint8, offset=offset)

    images = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    return images, read("t10k-labels-idx1-ubyte.gz", 8)


SETS = {"optdigits": optdigits, "mnist": mnist}


def seen(images, view):
    """Images of shape (n, rows, columns) in a view."""
    import numpy as np

    *ways, turn = view.split("-")
    images = images.max() - images if "inverted" in ways else images
    images = images[:, :, ::-1] if "mirrored" in ways else images
    return np.ascontiguousarray(np.rot90(images, int(turn) // 90, axes=(1, 2)))


def write_tasks(images, classes, draw, folder, unseen):
    """`train-VIEW.npz` and `test-VIEW.npz`. Every task has samples of its own draw."""
    import numpy as np

    rng = np.random.default_rng(draw)
    digits = rng.permutation(10)
    for view in VIEWS:
        digits = rng.permutation(10) if unseen == "classes" else digits
        for part, chosen in (("train", digits[:TRAINING]), ("test", digits[TRAINING:])):
            of_class = [rng.choice(np.flatnonzero(classes == digit), OF_CLASS, replace=False) for digit in chosen]
            rows = rng.permutation(np.concatenate(of_class))
            of_view = seen(images[rows], view).reshape(len(rows), -1)
            np.savez(folder / f"{part}-{view}.npz", X=of_view, y=classes[rows].astype(np.int64))


def ask(program, *words):
    done = subprocess.run([str(word) for word in (program, *words)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, words))}: {done.stderr}")
    return json.loads(done.stdout)


def tasks(folder, part, views):
    return [folder / f"{part}-{view}.npz" for view in views]


def learn(args, folder, name, chosen, method="fomaml"):
    out = folder / f"{name}.safetensors"
    options = ["--method", method, *args.options.split()]
    seconds = ask(args.program, "meta-train", *chosen, "--out", out, "--json", "--quiet", *options)["seconds"]
    return out, seconds


def measure(args, start, chosen, *options):
    shots = ",".join(map(str, SHOTS))
    words = ["meta-test", start, *chosen, "--shots", shots, "--json", *options]
    words += [] if "--episodes" in options else ["--episodes", args.episodes]
    return ask(args.program, *words)


def best_rates(args, folder, start):
    """Of a random start on the training tasks, for each number of shots."""
    chosen, few = tasks(folder, "train", VIEWS), ["--seed", 1, "--episodes", args.episodes // 3]
    found = {rate: measure(args, start, chosen, "--random-rate", rate, *few) for rate in RATES}
    return [max(RATES, key=lambda rate: found[rate][at]["random"]["mean"]) for at in range(len(SHOTS))]


def nearest_of(args, folder, view, start):
    ranked = ask(args.program, "similar", folder / f"test-{view}.npz", start, "--json")
    return pathlib.Path(ranked[0]["task"]).stem.removeprefix("train-"), ranked


def each_draw(args, results):
    """Every set and draw, with its tasks in a folder."""
    for name in args.sets.split(","):
        images, classes = SETS[name](args.data)
        for draw in range(args.first, args.first + args.draws):
            with tempfile.TemporaryDirectory() as folder:
                folder = pathlib.Path(folder)
                write_tasks(images, classes, draw, folder, args.unseen)

                def keep(line):
                    line = {"set": name, "unseen": args.unseen, "draw": draw, **line}
                    print(json.dumps(line), file=results, flush=True)
                    print(line, file=sys.stderr)

                yield folder, keep


def run(args):
    with open(args.results, "a", encoding="utf-8") as results:
        for folder, keep in each_draw(args, results):
            train, test = tasks(folder, "train", VIEWS), tasks(folder, "test", TESTED)
            starts = {method: learn(args, folder, method, train, method) for method in ("fomaml", "reptile")}
            first = starts["fomaml"][0]
            for at, rate in enumerate(best_rates(args, folder, first)):
                random = measure(args, first, test, "--random-rate", rate)[at]["random"]["mean"]
                keep({"start": "random", "shots": SHOTS[at], "accuracy": round(random, 5), "rate": rate})
            for method, (start, seconds) in starts.items():
                for line in measure(args, start, test):
                    accuracy = round(line["start"]["mean"], 5)
                    keep({"start": method, "shots": line["shots"], "accuracy": accuracy, "seconds": round(seconds, 1)})
            alone, of_nearest = {}, []
            for view in TESTED:
                found, _ = nearest_of(args, folder, view, first)
                if found not in alone:
                    alone[found] = learn(args, folder, f"alone-{found}", tasks(folder, "train", [found]))[0]
                of_nearest.append(measure(args, alone[found], tasks(folder, "test", [view])))
            for at, shots in enumerate(SHOTS):
                mean = sum(measured[at]["start"]["mean"] for measured in of_nearest) / len(TESTED)
                keep({"start": "nearest task", "shots": shots, "accuracy": round(mean, 5)})


def trained(args, folder, view, shots, draw, init):
    """Accuracy of `consilience train` on a test task from so many labels of each class."""
    import numpy as np

    rng = np.random.default_rng([draw, shots])
    with np.load(folder / f"test-{view}.npz") as file:
        features, classes = file["X"], file["y"]
    given = np.full(len(classes), -1)
    for label in np.unique(classes):
        given[rng.choice(np.flatnonzero(classes == label), shots, replace=False)] = label
    for name, array in (("x", features), ("y", classes), ("given", given)):
        np.save(folder / f"{name}.npy", array)
    words = ["train", folder / "x.npy", "--labels-partial", folder / "given.npy", "--labels", folder / "y.npy"]
    words += ["--method", args.method, "--json", "--quiet", "--no-curve", *(["--init", init] if init else [])]
    with tempfile.TemporaryDirectory() as out:
        return ask(args.program, *words, "--out", f"{out}/run")["given"]["accuracy"]


def train(args):
    """`consilience train` with and without a start: many steps, and heads that are random."""
    with open(args.results, "a", encoding="utf-8") as results:
        for folder, keep in each_draw(args, results):
            start, _ = learn(args, folder, "fomaml", tasks(folder, "train", VIEWS))
            for shots in SHOTS:
                for name, init in ((args.method, None), (f"{args.method}, --init", start)):
                    found = [trained(args, folder, view, shots, args.first, init) for view in TESTED]
                    keep({"trained": name, "shots": shots, "accuracy": round(sum(found) / len(found), 5)})


def nearest(args):
    """Which training task of the four tested views is nearest to each test task: that of the same view is the related one."""
    args.options = "--iterations 1"
    with open(args.results, "a", encoding="utf-8") as results:
        for folder, keep in each_draw(args, results):
            start, _ = learn(args, folder, "sketches", tasks(folder, "train", TESTED))
            for view in TESTED:
                found, ranked = nearest_of(args, folder, view, start)
                distances = [round(line["distance"], 4) for line in ranked[:2]]
                keep({"view": view, "nearest": found, "distances": distances})


def table(args):
    with open(args.results, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    measured = [{"start": line.get("trained"), **line} for line in lines if "accuracy" in line]
    for unseen in dict.fromkeys(line["unseen"] for line in measured):
        of_split = [line for line in measured if line["unseen"] == unseen]
        cells = [(name, shots) for name in dict.fromkeys(line["set"] for line in of_split) for shots in SHOTS]
        print(f"Unseen {unseen}\n\n| start | " + " | ".join(f"{name}, {shots}" for name, shots in cells) + " |")
        print("| --- |" + " --: |" * len(cells))
        for start in dict.fromkeys(line["start"] for line in of_split):
            row = []
            for cell in cells:
                fits = (line for line in of_split if (line["set"], line["shots"], line["start"]) == (*cell, start))
                found = [line["accuracy"] for line in fits]
                row.append(f"{sum(found) / len(found):.3f} ({min(found):.3f})" if found else "-")
            print(f"| {start} | " + " | ".join(row) + " |")
        print()
    compared = [line for line in lines if "nearest" in line]
    for name, unseen in dict.fromkeys((line["set"], line["unseen"]) for line in compared):
        of_set = [line for line in compared if (line["set"], line["unseen"]) == (name, unseen)]
        right = sum(line["view"] == line["nearest"] for line in of_set)
        print(f"{name}, unseen {unseen}: the nearest task is the related one in {right} of {len(of_set)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, work, draws in (("run", run, 3), ("train", train, 1), ("nearest", nearest, 10)):
        command = commands.add_parser(name)
        command.add_argument("results", type=pathlib.Path)
        command.add_argument("--program", default="consilience")
        command.add_argument("--data", type=pathlib.Path, required=True)
        command.add_argument("--sets", default="optdigits,mnist")
        command.add_argument("--draws", type=int, default=draws)
        command.add_argument("--first", type=int, default=FIRST_DRAW, help="the first draw")
        command.add_argument("--episodes", type=int, default=200)
        command.add_argument("--unseen", choices=["classes", "digits"], default="classes")
        command.add_argument("--method", default="supervised", help="of train")
        command.add_argument("--options", default="", help="further options of meta-train")
        command.set_defaults(work=work)
    command = commands.add_parser("table")
    command.add_argument("results", type=pathlib.Path)
    command.set_defaults(work=table)
    args = parser.parse_args()
    args.work(args)


if __name__ == "__main__":
    main()
