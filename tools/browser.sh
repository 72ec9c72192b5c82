#!/usr/bin/env bash
# Installs Chromium, in which tests open report.html; without it, these are skipped. Nothing else needs it.
set -euo pipefail

say() { echo "browser: $*" >&2; }

! command -v chromium >/dev/null || exit 0
if ! command -v apt-get >/dev/null; then
    say "no apt-get; install Chromium, then run this again"
    exit 2
fi
say "installing chromium from Debian"
root=()
[ "$(id -u)" = 0 ] || root=(sudo)
"${root[@]}" apt-get update -qq >&2 || true
"${root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >&2
