#!/bin/bash
# Opens pages of every kind in headless Chromium, wide and narrow, light and dark (tests/report/check_pages.py
# says what is looked for). Without arguments these are pages that build/tests/write_pages makes; others may
# be named. Prints that it is skipped where there is no Chromium, or no playwright and no way to fetch it.
#
#   scripts/check_pages.sh [--shots FOLDER] [PAGE.html...]
set -u
cd "$(dirname "$0")/.." || exit 1
. scripts/playwright.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
pages=()
for argument in "$@"; do [[ $argument == *.html ]] && pages+=("$argument"); done
if [ ${#pages[@]} -eq 0 ]; then
  build/tests/write_pages "$folder" || exit 1
  set -- "$@" "$folder"/*.html
fi
"$python" tests/report/check_pages.py --self-test "$@"
