#!/usr/bin/env bash
# Builds the Python package's wheel for users: for Linux with glibc 2.17 or later and Python 3.10 or later, without any compiler on
# their side. Zig links it against the old glibc; abi3audit checks that it uses nothing newer than Python 3.10.
#
#   usage: tools/wheel.sh [FOLDER]    FOLDER, by default target/wheels, is where it goes
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
OUT=$(realpath -m "${1:-target/wheels}")
readonly OUT
readonly OWN=.tools/wheel
# A wheel of more is one that something was linked into.
readonly MOST=$((25 << 20))

if [ ! -e "$OWN/installed" ]; then
    echo "wheel: installing maturin, Zig and abi3audit into .tools/" >&2
    "$(tools/python.sh)" -m venv "$OWN"
    "$OWN/bin/pip" install --quiet "maturin>=1.16,<2" "ziglang>=0.13,<0.16" "abi3audit>=0.0.26"
    touch "$OWN/installed"
fi
PATH=$PWD/$OWN/bin:$PATH "$OWN/bin/maturin" build --release --locked --zig --compatibility manylinux_2_17 \
    --manifest-path python/Cargo.toml --out "$OUT"
for wheel in "$OUT"/*.whl; do
    "$OWN/bin/abi3audit" --strict "$wheel"
    size=$(stat --format %s "$wheel")
    echo "$wheel: $((size >> 20)) MiB"
    [ "$size" -le "$MOST" ] || { echo "wheel: larger than $((MOST >> 20)) MiB" >&2; exit 1; }
done
