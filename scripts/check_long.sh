#!/bin/bash
# What takes too long for `make test`: thousands of random networks and histories, the same under
# AddressSanitizer and UndefinedBehaviorSanitizer, whatever writes files killed and on full disks,
# allocations that fail one after the other, the suite with older processors' kernels, pages and walks in a
# browser, the plain twins in WebAssembly, the suites of `make conformance`, and the readers of files
# under libFuzzer (an hour and a half). Prints one line for each and exits 1 if one failed.
#
#   scripts/check_long.sh [GRAPHS [HISTORIES [KILLS]]]      (default 5000 10000 50)
set -u
cd "$(dirname "$0")/.." || exit 1
graphs=${1:-5000} histories=${2:-10000} kills=${3:-50}
export OMP_WAIT_POLICY=passive
failed=0

run() {
  local name=$1
  shift
  local start=$SECONDS
  if output=$("$@" 2>&1); then
    echo "passed ($((SECONDS - start)) s): $name: $(tail -1 <<<"$output")"
  else
    failed=1
    echo "FAILED ($((SECONDS - start)) s): $name"
    tail -40 <<<"$output"
  fi
}

run "random networks, f32" build/tests/random_graphs --graphs "$graphs" --seed 11
run "random networks, bf16" build/tests/random_graphs --graphs $((graphs / 10)) --dtype bf16
run "random histories" build/tests/random_histories --histories "$histories" --seed 11
run "writes killed, disks full" scripts/kill_writes.sh "$kills"
run "failing allocations" build/tests/failing_allocations
run "failing allocations, two threads" build/tests/failing_allocations --threads 2 --every 3
run "as older processors" scripts/check_processors.sh build
run "10,000 requests to a server" build/tests/soak_server --requests 10000
run "64-bit ARM" scripts/check_aarch64.sh
run "pages in Chromium" scripts/check_pages.sh
run "ranks over MPI" scripts/check_mpi.py
run "walks in Chromium" scripts/check_walk.sh
run "plain twins in WebAssembly" scripts/check_wasm.sh
run "other people's tests" make --no-print-directory conformance

cmake --preset asan >/dev/null &&
  cmake --build --preset asan --target random_graphs random_histories >build-asan/build.log 2>&1 || {
  tail -20 build-asan/build.log
  exit 1
}
run "random networks, sanitizers" build-asan/tests/random_graphs --graphs "$graphs" --seed 12
run "random histories, sanitizers" build-asan/tests/random_histories --histories $((histories / 10)) \
  --seed 12
run "readers under libFuzzer" scripts/fuzz.sh
exit $failed
