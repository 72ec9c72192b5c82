#!/bin/sh
# Makes .venv beside this file, with the peers in it, for Python 3.10 or 3.11 (others lack wheels of the old scipy).
set -eu
cd "$(dirname "$0")"

"${PYTHON:-python3}" -m venv .venv
.venv/bin/python -m pip install --quiet --only-binary :all: --requirement requirements.txt
if ! .venv/bin/python -m pip show --quiet ClusterEnsembles 2>/dev/null; then
    .venv/bin/python -m pip install --quiet --no-deps ClusterEnsembles==0.2.5 ||
        echo "ClusterEnsembles 0.2.5 can't be had from this package index: its rows will say so" >&2
fi
