#!/bin/bash
# Walks of three networks in headless Chromium (tests/walk/check_walk.py says what is looked for): a LeNet that
# learns drawn digits, resnet20 and SqueezeNet 1.1, these with the published files in the folder
# LIMBIC_WALK_WEIGHTS or else with random weights. Other pages may be named. Skipped with a line where there is
# no Chromium, or no playwright and no way to fetch it.
#
#   scripts/check_walk.sh [--shots FOLDER] [PAGE.html...]
set -u
cd "$(dirname "$0")/.." || exit 1
: "${CHROMIUM:=/usr/bin/chromium}" "${LIMBIC_WALK_WEIGHTS:=}"
export CHROMIUM
[ -x "$CHROMIUM" ] || { echo "skipped: no $CHROMIUM"; exit 0; }
python=build/pages-venv/bin/python
if ! "$python" -c "import playwright" 2>/dev/null; then
  { python3 -m venv build/pages-venv && "$python" -m pip -q install playwright; } >/dev/null 2>&1 ||
    { echo "skipped: playwright cannot be installed"; exit 0; }
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for argument in "$@"; do [[ $argument == *.html ]] && named=yes; done
if [ -z "${named:-}" ]; then
  build/limbic explain --walk --quiet --out "$folder/lenet.html" >/dev/null || exit 1
  build/tests/walk_pages "$folder" "$LIMBIC_WALK_WEIGHTS" || exit 1
  set -- "$@" "$folder"/*.html
fi
"$python" tests/walk/check_walk.py --every 5 "$@"
