#!/bin/sh
# Makes .venv beside this file, with PyTorch in it. PyPI has PyTorch for x86-64 Linux with CUDA's libraries only: 3 GB to
# fetch, 7 GB of disk. An index with PyTorch's CPU wheels can be named: PIP_EXTRA_INDEX_URL.
set -eu
cd "$(dirname "$0")"

"${PYTHON:-python3}" -m venv .venv
.venv/bin/python -m pip install --quiet --only-binary :all: --requirement requirements.txt
