#!/usr/bin/env bash
# Finds what the build needs beside Rust, and installs what is missing: a C compiler, and CMake 3.26 or
# later for HDF5's static build. CMake goes into .tools/, a folder of the project's own.
# Prints the path of the CMake to use.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly NEEDED=3.26

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 2; }
new_enough() { # PROGRAM
    local found
    found=$("$1" --version 2>/dev/null | sed -n '1s/cmake version //p') && [ -n "$found" ] &&
        [ "$(printf '%s\n' "$NEEDED" "$found" | sort -V | head -n 1)" = "$NEEDED" ]
}
debian() { # PACKAGE...
    command -v apt-get >/dev/null || die "missing: $*; install it, then run this again"
    local sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    say "installing $* from Debian"
    { $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "$@"; } >&2 ||
        die "could not install $*; install it, then run this again"
}

command -v cargo >/dev/null || die "missing: cargo; install Rust (https://rustup.rs), then run this again"
command -v cc >/dev/null || debian gcc libc6-dev
for cmake in "${CMAKE:-cmake}" cmake .tools/cmake/data/bin/cmake; do
    if new_enough "$cmake"; then command -v "$cmake" | xargs realpath; exit; fi
done
python3 -m pip --version >/dev/null 2>&1 || debian python3 python3-pip
say "installing CMake into .tools/"
python3 -m pip install --quiet --disable-pip-version-check --upgrade --target .tools 'cmake>=3.26' >&2 ||
    die "could not install CMake; install CMake $NEEDED or later, then run this again"
new_enough .tools/cmake/data/bin/cmake || die "CMake in .tools/ does not run; remove .tools/ and install CMake $NEEDED or later"
realpath .tools/cmake/data/bin/cmake
