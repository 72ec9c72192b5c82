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

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        say "neither root nor sudo"
        return 1
    fi
}

updated=
debian() { # PACKAGE...
    command -v apt-get >/dev/null || die "missing: $*; install it, then run this again"
    say "installing $* from Debian"
    # A broken third-party source must not stop us: the install below says whether the lists will do.
    [ -n "$updated" ] || as_root apt-get update -qq >&2 || true
    updated=1
    # Inside sudo: it drops the variables outside.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 ||
        die "could not install $*; install it, then run this again"
}

find_pip() { # sets python; another python3, without pip, may stand before Debian's on the path
    for python in python3 /usr/bin/python3; do
        ! "$python" -m pip --version >/dev/null 2>&1 || return 0
    done
    return 1
}

debians_cmake() { apt-cache show --no-all-versions cmake 2>/dev/null | sed -n 's/^Version: \([0-9.]*\).*/\1/p'; }

command -v cargo >/dev/null || die "missing: cargo; install Rust (https://rustup.rs), then run this again"
command -v cc >/dev/null || debian gcc libc6-dev
command -v make >/dev/null || debian make

use_if_new_enough "${CMAKE:-cmake}"
use_if_new_enough cmake
use_if_new_enough "$OWN"

if ! find_pip; then
    if is_new_enough "$(debians_cmake)"; then
        debian cmake
        use_if_new_enough cmake
    fi
    debian python3 python3-pip
    find_pip || die "python3 has no pip; install CMake $NEEDED or later, then run this again"
fi
say "installing CMake into .tools/"
# --target is exempt from PEP 668, which keeps pip's hands off Debian's own packages. Variables rather than
# options: an older pip ignores those that it doesn't know. Never from source: that would need CMake.
PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 \
    "$python" -m pip install --quiet --upgrade --only-binary :all: --target .tools "cmake>=$NEEDED" >&2 ||
    die "could not install CMake; install CMake $NEEDED or later, then run this again"
use_if_new_enough "$OWN"
die "the CMake in .tools/ does not run; remove .tools/, install CMake $NEEDED or later, then run this again"
