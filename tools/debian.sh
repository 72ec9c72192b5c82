#!/usr/bin/env bash
# Installs packages of Debian's, as root or by sudo.
#
#   usage: tools/debian.sh PACKAGE...
set -euo pipefail

say() { echo "debian: $*" >&2; }

command -v apt-get >/dev/null || { say "no apt-get; install $*, then run this again"; exit 2; }
root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { say "neither root nor sudo; install $*, then run this again"; exit 2; }
    root=(sudo)
fi
say "installing $*"
# A broken third-party source must not stop us: the install below says whether the lists will do.
"${root[@]}" apt-get update -qq >&2 || true
# Inside sudo: it drops the variables outside.
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 || {
    say "could not install $*; install it, then run this again"
    exit 2
}
