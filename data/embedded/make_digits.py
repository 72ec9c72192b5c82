"""Makes digits.npz from the whole set (optdigits.npz: X, y, is_test): python make_digits.py optdigits.npz"""

import sys
import numpy as np

whole = np.load(sys.argv[1])
test = whole["is_test"] == 1
X, y = whole["X"][test], whole["y"][test]
assert X.shape == (1797, 64) and X.dtype == np.uint8 and X.max() == 16
assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
np.savez_compressed("digits.npz", X=X, y=y)
