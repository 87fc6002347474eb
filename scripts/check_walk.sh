#!/bin/bash
# Walks of three networks in headless Chromium (tests/walk/check_walk.py says what is looked for): a LeNet that
# learns drawn digits, resnet20 and SqueezeNet 1.1, these with the published files in the folder
# LIMBIC_WALK_WEIGHTS or else with random weights. Other pages may be named. Skipped with a line where there is
# no Chromium, or no playwright and no way to fetch it.
#
#   scripts/check_walk.sh [--shots FOLDER] [PAGE.html...]
set -u
cd "$(dirname "$0")/.." || exit 1
: "${LIMBIC_WALK_WEIGHTS:=}"
. scripts/playwright.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for argument in "$@"; do [[ $argument == *.html ]] && named=yes; done
if [ -z "${named:-}" ]; then
  build/limbic explain --walk --quiet --out "$folder/lenet.html" >/dev/null || exit 1
  build/tests/walk_pages "$folder" "$LIMBIC_WALK_WEIGHTS" || exit 1
  set -- "$@" "$folder"/*.html
fi
"$python" tests/walk/check_walk.py --every 5 "$@"
