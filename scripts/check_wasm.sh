#!/bin/bash
# Holds the plain twins in WebAssembly that the repository keeps (walk/wasm/twins.wasm) against the fast
# library, and against a build of today where Emscripten is there. Skipped with a line where node is not.
#
#   scripts/check_wasm.sh [WALK_CASES]      (default build/tests/walk_cases)
set -eu
cd "$(dirname "$0")/.."
cases=${1:-build/tests/walk_cases}
command -v node >/dev/null || { echo "skipped: no node"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$cases" >"$folder/cases.json"
if command -v em++ >/dev/null; then
  walk/wasm/build.sh "$folder/fresh.wasm"
  node tests/walk/check_wasm.js "$folder/cases.json" walk/wasm/twins.wasm "$folder/fresh.wasm"
else
  node tests/walk/check_wasm.js "$folder/cases.json" walk/wasm/twins.wasm
  echo "skipped: no em++; the kept twins were not compared with a fresh build"
fi
