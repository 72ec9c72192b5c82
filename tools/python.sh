#!/usr/bin/env bash
# Prints which python3 has pip. Another one, without, may stand before Debian's on the path; where there is none, Debian's is
# installed.
set -euo pipefail

find_pip() {
    for python in python3 /usr/bin/python3; do
        ! "$python" -m pip --version >/dev/null 2>&1 || { echo "$python"; exit 0; }
    done
}

find_pip
"$(dirname "$(realpath "${BASH_SOURCE[0]}")")/debian.sh" python3 python3-pip
find_pip
echo "python: python3 has no pip; install it, then run this again" >&2
exit 2
