#!/usr/bin/env bash
# The tests of the scripts in benches/, with what they import in .tools/: NumPy, SciPy, scikit-learn and h5py, of the versions
# that the peers' own environment has.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly VERSIONS=benches/peers/accuracy/requirements.txt
readonly OWN=.tools/python

if ! cmp --silent "$VERSIONS" "$OWN/installed"; then
    echo "python_tests: installing NumPy, SciPy, scikit-learn and h5py into .tools/" >&2
    tools/pip.sh "$OWN" --constraint "$VERSIONS" numpy scipy scikit-learn h5py
    cp "$VERSIONS" "$OWN/installed"
fi
python=$(tools/python.sh)
for folder in benches/accuracy benches/large benches/peers/accuracy; do
    echo "$folder"
    PYTHONPATH=$PWD/$OWN "$python" -m unittest discover "$folder"
done
