#!/usr/bin/env bash
# Installs Python packages into a folder of the project's own, never from source.
#
#   usage: tools/pip.sh FOLDER ARGUMENT...    the arguments are pip's
set -euo pipefail
python=$("$(dirname "$(realpath "${BASH_SOURCE[0]}")")/python.sh")
folder=$1
shift
# --target is exempt from PEP 668, which keeps pip's hands off Debian's own packages. Variables rather than options: an older pip
# ignores those that it doesn't know.
PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 \
    "$python" -m pip install --quiet --upgrade --only-binary :all: --target "$folder" "$@" >&2
