"""The data of these scripts: features and true classes, by name. `folder` is as in ../accuracy/README.md."""

import gzip

import numpy as np


def digits(folder):
    """scikit-learn's, which are the program's set `digits`."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.data.astype(np.float32), found.target


def optdigits(folder):
    with np.load(folder / "optdigits/optdigits.npz") as file:
        return file["X"], file["y"]


def minilm(folder):
    with np.load(folder / "20newsgroups/20news-minilm384.npz") as file:
        return file["X"].astype(np.float32), file["y"]


def _mnist(folder, parts):
    def read(name, offset):
        with gzip.open(folder / "mnist" / name) as file:
            return np.frombuffer(file.read(), np.uint8, offset=offset)

    images = [read(f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 784) for part in parts]
    labels = [read(f"{part}-labels-idx1-ubyte.gz", 8) for part in parts]
    return np.concatenate(images), np.concatenate(labels)


def mnist(folder):
    """All 70,000 images, those for tests last."""
    return _mnist(folder, ["train", "t10k"])


def mnist_test(folder):
    """The 10,000 images for tests."""
    return _mnist(folder, ["t10k"])


SETS = {"digits": digits, "optdigits": optdigits, "minilm": minilm, "mnist": mnist, "mnist-test": mnist_test}
