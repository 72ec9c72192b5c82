"""The command ``consilience``: the same program as the one that cargo builds, but for HDF5."""

from __future__ import annotations

import signal
import sys

from consilience import _core


def main() -> None:
    """Do what the command line says, and end with its exit code."""
    # The program answers signals itself.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_core.main(["consilience", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
