#!/bin/sh
# Other people's tests: the onnx package's of single operators, and PyTorch in f64 beside random
# networks. Their tables, then one line, "conformance: N equal, M refused, K not expressible, F failed";
# fails where one failed or a suite did not come to its end. Needs build/tests/conformance's driver.
#
#   scripts/conformance.sh
set -u
cd "$(dirname "$0")/.." || exit 1
folder=build/conformance
venv=build/conformance-venv
mkdir -p "$folder"
if ! "$venv/bin/python" -c "import onnx; assert onnx.__version__ == '1.23.2'" 2>/dev/null; then
  /usr/bin/python3 -m venv --clear "$venv" && "$venv/bin/pip" install -q onnx==1.23.2 || exit 1
fi

failed=0
suite() { # NAME COMMAND...
  log="$folder/$1.log"
  shift
  "$@" >"$log" 2>&1 || failed=1
  cat "$log"
}
suite onnx "$venv/bin/python" tests/conformance/onnx_suite.py
suite pytorch /usr/bin/python3 tests/conformance/pytorch_suite.py
tail -qn1 "$folder/onnx.log" "$folder/pytorch.log" | awk '
  /^(onnx|pytorch): [0-9]+ equal/ {
    gsub(/[^0-9]+/, " "); equal += $1; refused += $2; not += $3; failed += $4; ++suites
  }
  END {
    failed += 2 - suites  # one that has no such line broke off
    printf "conformance: %d equal, %d refused, %d not expressible, %d failed\n",
      equal, refused, not, failed
    exit failed > 0 || equal == 0
  }' || failed=1
exit "$failed"
