#!/usr/bin/env bash
# Installs Chromium, in which tests open report.html; without it, these are skipped. Nothing else needs it.
set -euo pipefail

command -v chromium >/dev/null ||
    "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/debian.sh" chromium fonts-dejavu-core
