#!/bin/sh
# Runs every test of a build folder and ends with one line, "N passed, M failed": the test cases of
# the doctest programs plus the programs that ctest runs besides (the examples). Fails where one
# failed and where there are none.
#
#   scripts/run_tests.sh build
set -u
build="${1:-build}"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$(nproc)}"
export ASAN_OPTIONS="${ASAN_OPTIONS:-allocator_may_return_null=1}" # as without a sanitizer
log="$build/tests.log"
{
  ctest --test-dir "$build" --output-on-failure -V 2>&1
  echo $? >"$log.status"
} | tee "$log" | grep --line-buffered -E '^ *[0-9]+/[0-9]+ Test +#'
status=$(cat "$log.status")
rm -f "$log.status"
grep -E '^[0-9]+: .*(MESSAGE|WARNING)|tests passed|skips:' "$log"

# ctest -V writes "3: text" for what test 3 prints and " 3/12 Test  #3: name ... Passed" at its end.
# Of a test that failed, which ctest lists: each error with its case and what follows it to the next empty line, 20 errors
# at most, and its last lines.
[ "$status" -eq 0 ] || awk '
  NR == FNR { print; sub(/:.*/, ""); bad[$0] = 1; next }
  { number = $1; sub(":", "", number) }
  !/^[0-9]+:/ || !(number in bad) { next }
  / TEST CASE: / { name = $0; next }
  / (FATAL )?ERROR: / && ++errors <= 20 { if (name) print name; name = ""; shown = 1 }
  /^[0-9]+: *$/ { shown = 0 }
  shown { print; next }
  { last[number] = last[number] "\n" $0; if (++lines[number] > 12) sub(/\n[^\n]*/, "", last[number]) }
  END { for (number in last) print "..." last[number] }' \
  "$build/Testing/Temporary/LastTestsFailed.log" "$log"

awk '
  /^[0-9]+: \[doctest\] test cases:/ {
    number = $1; sub(":", "", number); line = $0; sub(/.*test cases:/, "", line)
    split(line, part, "|"); good[number] = part[2] + 0; bad[number] = part[3] + 0
  }
  /^ *[0-9]+\/[0-9]+ Test +#/ {
    number = $0; sub(/.*Test +#/, "", number); sub(/:.*/, "", number)
    ok = /Passed/
    if (!(number in good)) { good[number] = ok; bad[number] = !ok }  # not a doctest program
    else if (!ok && bad[number] == 0) bad[number] = 1                # died after its summary
    passed += good[number]; failed += bad[number]
  }
  END {
    if (passed + failed == 0) {
      print "run_tests.sh: this folder has no tests; build it with -DLIMBIC_TESTS=ON" >"/dev/stderr"
      failed = 1
    }
    printf "%d passed, %d failed\n", passed, failed
    exit failed > 0
  }' "$log" || [ "$status" -ne 0 ] || status=1
exit "$status"
