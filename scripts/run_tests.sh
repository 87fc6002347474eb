#!/bin/sh
# Runs every test of a build folder and ends with one line, "N passed, M failed": the test cases of
# the doctest programs plus the programs that ctest runs besides (the examples).
#
#   scripts/run_tests.sh build
set -u
build="${1:-build}"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$(nproc)}"
unset OPENBLAS_CORETYPE
log="$build/tests.log"
ctest --test-dir "$build" --output-on-failure -V >"$log" 2>&1
status=$?
grep -E '^ *[0-9]+/[0-9]+ Test +#|^[0-9]+: .*(MESSAGE|WARNING)|tests passed|skips:' "$log"
[ "$status" -eq 0 ] || grep -E 'ERROR|FATAL|values:|logged:|Failed|\*\*\*' "$log" | head -60

awk '
  /\[doctest\] test cases:/ {
    line = $0; gsub(/.*test cases:/, "", line); split(line, part, "|")
    passed += part[2]; failed += part[3]; doctests++
  }
  /^ *[0-9]+\/[0-9]+ Test +#/ { if (/Passed/) programs++; else broken++ }
  END {
    # A program that is not doctest counts as one; one that died before its summary as failed.
    plain = programs + broken - doctests
    if (plain > 0) { if (broken > failed) failed = broken; passed += plain - (broken > plain ? plain : 0) }
    if (broken > 0 && failed == 0) failed = broken
    if (passed + failed == 0) failed = 1
    printf "%d passed, %d failed\n", passed, failed
  }' "$log"
exit "$status"
