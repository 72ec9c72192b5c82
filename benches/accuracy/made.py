"""Writes the sets that are made, and not downloaded, into the folder `made` beside this file. It needs numpy (the peers' Python).

50,000 points of 64 features about 20 centres, so far apart that k-means finds them.
"""

import numpy as np

from plan import MADE, SETS

SAMPLES, FEATURES, SPREAD = 50_000, 64, 0.9


def gaussians() -> None:
    rng = np.random.default_rng(7)
    k = SETS["gaussians"].k
    centres = rng.normal(size=(k, FEATURES))
    truth = rng.integers(0, k, SAMPLES)
    features = centres[truth] + SPREAD * rng.normal(size=(SAMPLES, FEATURES))
    np.savez(MADE / "gaussians.npz", X=features.astype(np.float32), y=truth)


if __name__ == "__main__":
    MADE.mkdir(exist_ok=True)
    gaussians()
