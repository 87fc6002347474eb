#!/bin/bash
# Fuzzes the readers of what users hand in (tests/fuzz, libFuzzer, address and undefined-behaviour
# sanitizers): pickles and HTTP for 600 seconds, every other target for 120. SECONDS, if given, is for each.
# Prints a line for each target and exits 1 where one failed; what made it fail lies in
# build-fuzz/crashes, what was worth keeping in build-fuzz/corpus.
#
#   scripts/fuzz.sh [SECONDS] [TARGET...]      (LIMBIC_FUZZ_TARGET=list build-fuzz/tests/fuzz/fuzz)
set -u
cd "$(dirname "$0")/.." || exit 1
seconds=
[[ "${1:-}" =~ ^[0-9]+$ ]] && seconds=$1 && shift
scripts/install_dependencies.sh check && cmake --preset fuzz >/dev/null && cmake --build --preset fuzz >build-fuzz/build.log 2>&1 || {
  tail -20 build-fuzz/build.log
  exit 1
}
fuzz=$PWD/build-fuzz/tests/fuzz/fuzz crashes=$PWD/build-fuzz/crashes
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
# std::bad_alloc instead of a report is what the program sees, too; the limits are libFuzzer's.
export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1
export UBSAN_OPTIONS=print_stacktrace=1
ulimit -s 2048 # recursion shows on short files
mkdir -p "$crashes"
[ $# -gt 0 ] || mapfile -t targets < <(LIMBIC_FUZZ_TARGET=list "$fuzz")
[ $# -eq 0 ] || targets=("$@")

failed=0
for target in "${targets[@]}"; do
  corpus=build-fuzz/corpus/$target seeds=build-fuzz/seeds/$target log=build-fuzz/$target.log
  kept=tests/fuzz/corpus/$target
  mkdir -p "$corpus" "$seeds"
  LIMBIC_FUZZ_TARGET=$target LIMBIC_FUZZ_SEEDS=$seeds "$fuzz" || exit 1
  [[ "$target" =~ ^(pickle|http)$ ]] && time=${seconds:-600} || time=${seconds:-120}
  LIMBIC_FUZZ_TARGET=$target "$fuzz" -max_total_time="$time" -timeout=10 -rss_limit_mb=2048 \
    -malloc_limit_mb=512 -max_len=65536 -print_final_stats=1 -seed=1 \
    -artifact_prefix="$crashes/$target-" "$corpus" "$seeds" $([ -d "$kept" ] && echo "$kept") \
    >"$log" 2>&1
  status=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
  coverage=$(grep -o 'cov: [0-9]* ft: [0-9]*' "$log" | tail -1)
  [ $status -eq 0 ] && end="no crash" || end="FAILED: $(grep -m1 -E '^FAULT|ERROR|runtime error|ALARM' "$log")"
  [ $status -eq 0 ] || failed=1
  printf '%-14s %9s runs, %6s/s, %s: %s\n' "$target" "${runs:-?}" "${rate:-?}" "$coverage" "$end"
done
exit $failed
