#!/usr/bin/env bash
# Builds the Python package's wheel and tests it, in a virtual environment of the project's own: its tests, the examples in its
# documentation, and its types.
#
#   usage: tools/python_package.sh [FOLDER]    FOLDER, by default target/python, holds the environment and the wheel
#
# The wheel is of the profile of tests, so that what tests have compiled is compiled once. tools/wheel.sh makes the one for users.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
TARGET=$(realpath -m "${CARGO_TARGET_DIR:-target}")
FOLDER=$(realpath -m "${1:-$TARGET/python}")
readonly TARGET FOLDER
readonly VENV=$FOLDER/venv WHEELS=$FOLDER/wheels NEEDS=python/requirements-test.txt
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore CARGO_TARGET_DIR=$TARGET

say() { echo "python_package: $*" >&2; }

# What is needed beside the wheel is installed once.
if ! cmp --silent "$NEEDS" "$VENV/installed"; then
    say "installing maturin and what the tests import"
    rm -rf "$VENV"
    "$(tools/python.sh)" -m venv "$VENV" ||
        { tools/debian.sh python3-venv && "$(tools/python.sh)" -m venv "$VENV"; }
    "$VENV/bin/pip" install --quiet --only-binary :all: --requirement "$NEEDS"
    cp "$NEEDS" "$VENV/installed"
fi

rm -rf "$WHEELS"
start=$SECONDS
"$VENV/bin/maturin" build --quiet --locked --profile dev --manifest-path python/Cargo.toml --out "$WHEELS"
say "wheel built in $((SECONDS - start)) s"
# Without its dependencies, which are there: the registry isn't asked.
"$VENV/bin/pip" install --quiet --force-reinstall --no-deps "$WHEELS"/*.whl

# Away from the sources, so that the package that was installed is tested.
tests=$PWD/python/tests
config=$PWD/python/pyproject.toml
page=$PWD/docs/python.md
cd "$FOLDER"
start=$SECONDS
check() { "$VENV/bin/python" -m pytest --quiet --config-file "$config" --rootdir "$FOLDER" -p no:cacheprovider "$@"; }
check --durations 5 "$tests"
check --doctest-modules --pyargs consilience
check --doctest-glob '*.md' "$page"
"$VENV/bin/python" -m mypy --config-file "$config" --package consilience
say "tested in $((SECONDS - start)) s"
