"""benches/peers/accuracy/.venv/bin/python -m unittest discover benches/peers/accuracy"""

import gzip
import tempfile
import unittest
from itertools import permutations
from pathlib import Path

import numpy as np
from confidence import compare, most_confident
from scoring import NOISE, matched, read_idx, scores


def matched_slowly(truth, found) -> int:
    """The best of all one-to-one matchings, tried one by one."""
    clusters = sorted(set(found.tolist()) - {NOISE})
    classes = sorted(set(truth.tolist())) + ["none"] * len(clusters)  # a cluster may be left without a class
    best = 0
    for choice in set(permutations(classes, len(clusters))):
        of = dict(zip(clusters, choice, strict=True))
        best = max(best, sum(of.get(f) == t for t, f in zip(truth.tolist(), found.tolist(), strict=True)))
    return best


class Scores(unittest.TestCase):
    def test_matching_equals_trying_all(self):
        rng = np.random.default_rng(0)
        for n_clusters in (2, 3, 4, 5):
            for _ in range(10):
                truth, found = rng.integers(0, 3, 20), rng.integers(NOISE, n_clusters, 20)
                self.assertEqual(matched(truth, found), matched_slowly(truth, found))

    def test_left_out_samples_are_wrong(self):
        truth = np.array([0, 0, 1, 1])
        found = scores(truth, np.array([5, 5, NOISE, 3]))
        self.assertEqual((found["acc"], found["acc_covered"], found["coverage"], found["n_clusters"]), (0.75, 1, 0.75, 2))
        found = scores(truth, np.full(4, NOISE))
        self.assertEqual((found["acc"], found["acc_covered"], found["coverage"], found["nmi"]), (0, None, 0, 0))

    def test_clusters_beyond_k_are_wrong(self):
        found = scores(np.array([0, 0, 0, 0]), np.array([0, 0, 0, 1]))
        self.assertEqual(found["acc"], 0.75)

    def test_noise_is_a_cluster_for_nmi_and_ari(self):
        found = scores(np.array([0, 0, 1, 1]), np.array([2, 2, NOISE, NOISE]))
        self.assertAlmostEqual(found["nmi"], 1)
        self.assertAlmostEqual(found["ari"], 1)


class Confidence(unittest.TestCase):
    def test_the_lowest_rows_of_equals(self):
        found = most_confident(np.float32([0.5, 1, 0.9, 0.9, 0.9]), 3)
        self.assertEqual(found.tolist(), [1, 2, 3])

    def test_precision_at_the_coverage_of_the_pseudo_labels(self):
        truth = np.array([0, 0, 1, 1])
        run = {
            "pseudo_labels/sample": np.uint32([0, 3]),
            "pseudo_labels/label": np.uint16([1, 0]),
            "votes": np.uint16([[4, 4, 4, 2], [0, 1, 1, 1]]),
            "confidences": np.float32([[0.9, 0.8, 0.95, 0.1], [0.1, 0.2, 0.8, 0.8]]),
            "assignments": np.uint16([1, 1, 0, 0]),
            "assignment_confidences": np.float32([1, 1, 1, 1]),
        }
        found = compare(run, truth)
        self.assertEqual((found["coverage"], found["agreement"]), (0.5, 1))
        self.assertEqual((found["members"], found["members_mean"]), ([0.5, 1], 0.75))
        self.assertEqual((found["ties"], found["consensus"]), ([1, 2], 1))


class Idx(unittest.TestCase):
    def test_shape_and_values(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.gz"
            sizes = np.array([2, 3], ">u4").tobytes()
            path.write_bytes(gzip.compress(bytes([0, 0, 8, 2]) + sizes + bytes(range(6))))
            self.assertEqual(read_idx(path).tolist(), [[0, 1, 2], [3, 4, 5]])


if __name__ == "__main__":
    unittest.main()
