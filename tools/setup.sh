#!/usr/bin/env bash
# Finds what the build needs beside Rust, and installs what is missing: a C compiler, make, and CMake 3.26
# or later for HDF5's static build. Where Debian's CMake is older, CMake goes into .tools/, a folder of the
# project's own. Prints the path of the CMake to use, and nothing else, to standard output.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly NEEDED=3.26
readonly OWN=.tools/cmake/data/bin/cmake

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 2; }

is_new_enough() { # VERSION
    [ -n "$1" ] && [ "$(printf '%s\n' "$NEEDED" "$1" | sort -V | head -n 1)" = "$NEEDED" ]
}

use_if_new_enough() { # CMAKE: prints its path and ends the script, or returns
    local path version
    path=$(command -v "$1") || return 0
    # No `sed | head`: a writer that outlives its reader fails under pipefail.
    version=$("$path" --version 2>/dev/null | sed -n '1s/^cmake version \([0-9.]*\).*/\1/p') || return 0
    is_new_enough "$version" || return 0
    case $path in
        /*) echo "$path" ;;
        *) echo "$PWD/$path" ;;
    esac
    exit 0
}

debians_cmake() { apt-cache show --no-all-versions cmake 2>/dev/null | sed -n 's/^Version: \([0-9.]*\).*/\1/p'; }

command -v cargo >/dev/null || die "missing: cargo; install Rust (https://rustup.rs), then run this again"
command -v cc >/dev/null || tools/debian.sh gcc libc6-dev
command -v make >/dev/null || tools/debian.sh make

use_if_new_enough "${CMAKE:-cmake}"
use_if_new_enough cmake
use_if_new_enough "$OWN"

if ! python3 -m pip --version >/dev/null 2>&1 && is_new_enough "$(debians_cmake)"; then
    tools/debian.sh cmake
    use_if_new_enough cmake
fi
say "installing CMake into .tools/"
# Never from source: that would need CMake.
tools/pip.sh .tools "cmake>=$NEEDED" ||
    die "could not install CMake; install CMake $NEEDED or later, then run this again"
use_if_new_enough "$OWN"
die "the CMake in .tools/ does not run; remove .tools/, install CMake $NEEDED or later, then run this again"
