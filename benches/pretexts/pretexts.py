"""What pretexts are worth: embeddings beside what they were made of, by scores that need the truth.

    python pretexts.py series series.npz [--seed 0]
    python pretexts.py grammar texts.txt [--seed 0]
    python pretexts.py measure FEATURES LABELS
    python pretexts.py run RESULTS --program consilience --data FOLDER [--only autoencoder,series] [--seeds 0,1,2] [--max-time 4m]

`run` writes a line of JSON for each embedding, and for the features as they are: ACC and ARI of `cluster` with the number of classes (by default `--effort quick`),
accuracy of a linear probe (scikit-learn's logistic regression, trained on half of the samples, scored on the rest), and purity (the share of a sample's
ten nearest neighbours, by cosine, that are of its class). Labels are used for scores alone. Needs NumPy and scikit-learn.
"""

import argparse
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile
import time

LENGTH = 128
SERIES = 1500


def series(seed):
    """Six kinds of series, of which none has a level, a unit or a phase of its own: shape (SERIES, LENGTH), and the kinds."""
    import numpy as np

    rng = np.random.default_rng(seed)
    time_axis = np.arange(LENGTH)
    rows, kinds = [], np.arange(SERIES) % 6
    for kind in kinds:
        phase, noise = rng.uniform(0, 2 * np.pi), rng.normal(size=LENGTH)
        if kind == 0:  # slow waves
            row = np.sin(2 * np.pi * time_axis / rng.uniform(28, 36) + phase) + 0.1 * noise
        elif kind == 1:  # fast waves
            row = np.sin(2 * np.pi * time_axis / rng.uniform(9, 11) + phase) + 0.1 * noise
        elif kind == 2:  # sawtooth waves
            row = 2 * ((time_axis / rng.uniform(18, 22) + phase) % 1) - 1 + 0.1 * noise
        elif kind == 3:  # random walks
            row = np.cumsum(noise)
        elif kind == 4:  # regimes: levels that last for 32 times, on average
            levels = rng.normal(size=LENGTH)[np.cumsum(rng.uniform(size=LENGTH) < 1 / 32)]
            row = levels + 0.1 * noise
        else:  # noise in which a value says the opposite of the one before it
            row = np.zeros(LENGTH)
            for t in range(1, LENGTH):
                row[t] = -0.7 * row[t - 1] + noise[t]
        row = (row - row.mean()) / row.std()
        rows.append(row * rng.uniform(0.5, 2) + rng.normal())
    return np.array(rows, dtype=np.float32), kinds


def grammar(seed):
    """Texts of two topics that use the same words equally often, in another order: after a word of kind c comes one of kind c + 1, or of kind c + 3."""
    import numpy as np

    rng = np.random.default_rng(seed)
    kinds, synonyms, length, n = 10, 4, 20, 1200
    topics = np.arange(n) % 2
    texts = []
    for topic in topics:
        kind, text = rng.integers(kinds), []
        for _ in range(length):
            text.append(f"w{kind}{'abcd'[rng.integers(synonyms)]}")
            kind = rng.integers(kinds) if rng.uniform() < 0.1 else (kind + (1, 3)[topic]) % kinds
        texts.append(" ".join(text))
    return texts, topics


def mnist(folder):
    import numpy as np

    def read(name, skip):
        with gzip.open(folder / f"mnist/t10k-{name}-ubyte.gz") as file:
            return np.frombuffer(file.read(), np.uint8, offset=skip)

    return read("images-idx3", 16).reshape(-1, 784).astype(np.float32), read("labels-idx1", 8)


def newsgroups(folder):
    import numpy as np
    from scipy.sparse import csr_matrix

    with np.load(folder / "20newsgroups/20news-tfidf2000-stripped.npz") as file:
        parts = tuple(file[name] for name in ("data", "indices", "indptr"))
        values, labels = csr_matrix(parts, shape=file["shape"]), file["y"]
    # Every third text, of those that have words: enough to tell, in a third of the time.
    rows = np.arange(0, len(labels), 3)
    rows = rows[np.diff(values.indptr)[rows] > 0]
    return values[rows].toarray().astype(np.float32), labels[rows]


def directions(values, seed):
    """Two hundred principal directions, rows scaled before and after, as `cluster` has them for texts."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.preprocessing import normalize

    return normalize(TruncatedSVD(200, random_state=seed).fit_transform(normalize(values)))


SETS = {
    "autoencoder": (mnist, ["--pretext", "autoencoder"]),
    "autoencoder-dense": (mnist, ["--pretext", "autoencoder", "--dense"]),
    "contrastive": (mnist, ["--pretext", "contrastive"]),
    "masked": (newsgroups, ["--pretext", "masked", "--preset", "text"]),
    "grammar": (lambda _: grammar(7), ["--pretext", "masked", "--words", "20"]),
    "series": (lambda _: series(7), ["--pretext", "forecast"]),
}


def measure(values, labels):
    """Linear probe and purity."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import StandardScaler

    train = np.random.default_rng(0).uniform(size=len(values)) < 0.5
    scaler = StandardScaler().fit(values[train])
    probe = LogisticRegression(max_iter=300).fit(scaler.transform(values[train]), labels[train])
    accuracy = probe.score(scaler.transform(values[~train]), labels[~train])
    near = NearestNeighbors(n_neighbors=11, metric="cosine").fit(values)
    near = near.kneighbors(values, return_distance=False)[:, 1:]
    return {"probe": round(accuracy, 4), "purity": round(float((labels[near] == labels[:, None]).mean()), 4)}


def clusters(args, path, labels, k, seed, folder):
    """ACC and ARI of a run on a file: with effort quick, of communities."""
    out = pathlib.Path(folder) / f"run-{time.time_ns()}"
    line = [args.program, "cluster", path, "-k", str(k), "--labels", labels, "--effort", args.effort, "--seed", str(seed)]
    done = subprocess.run([*line, "--quiet", "--json", "--no-curve", "--out", out], capture_output=True)
    # 1: done, with fewer mini-clusters than K.
    assert done.returncode in (0, 1), done.stderr
    told = json.loads(done.stdout)
    return {"acc": round(told["acc"], 4), "ari": round(told["ari"], 4)}


def run(args):
    import numpy as np

    only = args.only.split(",") if args.only else list(SETS)
    with open(args.results, "a") as results, tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name in only:
            load, options = SETS[name]
            values, truth = load(args.data)
            raw, labels, k = folder / f"{name}.npy", folder / f"{name}-labels.npy", len(set(truth))
            if isinstance(values, list):
                from sklearn.feature_extraction.text import TfidfVectorizer

                raw = raw.with_suffix(".txt")
                raw.write_text("\n".join(values) + "\n")
                values = TfidfVectorizer().fit_transform(values).toarray()
            else:
                np.save(raw, values)
            np.save(labels, truth.astype(np.int64))
            for seed in map(int, args.seeds.split(",")):
                found = {"raw": (raw, 0.0, [])} if not args.skip_raw else {}
                if name == "masked" and not args.skip_raw:
                    path = folder / f"directions-{seed}.npy"
                    np.save(path, directions(values, seed).astype(np.float32))
                    found["200 principal directions"] = (path, 0.0, [])
                out, start = folder / f"{name}-{seed}-embedding.npy", time.time()
                line = [args.program, "embed", raw, *options, *args.options.split(), "--seed", str(seed), "--out", out]
                line += ["--max-time", args.max_time] if args.max_time else []
                subprocess.run([*line, "--quiet"], check=True, stdout=subprocess.DEVNULL)
                found[name] = (out, time.time() - start, args.options.split())
                for view, (path, seconds, more) in found.items():
                    scores = measure(values if path == raw else np.load(path), truth)
                    scores |= clusters(args, path, labels, k, seed, folder)
                    line = {"set": name, "view": view, "seed": seed, "options": more, "effort": args.effort, **scores, "seconds": round(seconds)}
                    print(json.dumps(line), file=results, flush=True)
                    print(json.dumps(line))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    for name in ("series", "grammar"):
        make = commands.add_parser(name)
        make.add_argument("out")
        make.add_argument("--seed", type=int, default=0)
    score = commands.add_parser("measure")
    score.add_argument("features")
    score.add_argument("labels")
    all_sets = commands.add_parser("run")
    all_sets.add_argument("results")
    all_sets.add_argument("--program", default="consilience")
    all_sets.add_argument("--data", type=pathlib.Path, required=True)
    all_sets.add_argument("--only", default="")
    all_sets.add_argument("--seeds", default="0,1,2")
    all_sets.add_argument("--effort", default="quick", help="of cluster")
    all_sets.add_argument("--max-time", default="")
    all_sets.add_argument("--options", default="", help="for embed, separated by blanks")
    all_sets.add_argument("--skip-raw", action="store_true")
    args = parser.parse_args()
    import numpy as np

    if args.command == "series":
        values, kinds = series(args.seed)
        np.savez(args.out, X=values, y=kinds)
    elif args.command == "grammar":
        pathlib.Path(args.out).write_text("\n".join(grammar(args.seed)[0]) + "\n")
    elif args.command == "measure":
        print(json.dumps(measure(np.load(args.features), np.load(args.labels))))
    else:
        run(args)


if __name__ == "__main__":
    sys.exit(main())
