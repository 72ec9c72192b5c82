#!/bin/sh
# Makes .venv beside this file, with the clusterers that ours is compared with in it, for Python 3.11 or later.
set -eu
cd "$(dirname "$0")"

"${PYTHON:-python3}" -m venv .venv
.venv/bin/python -m pip install --quiet --only-binary :all: --requirement requirements.txt
