#!/bin/bash
# The suite as it runs on older processors: oneDNN and Highway are kept to the kernels that they have
# for one. Ends with 1 if a test failed on one.
#
#   scripts/check_processors.sh [BUILD [SET...]]       (build, AVX512 AVX2 SSE4)
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- AVX512 AVX2 SSE4
preload=$(realpath "$build/tests/libolder_processor.so")
[ -f "$preload" ] || { echo "$0: no $preload: build $build first, with shared libraries" >&2; exit 2; }
failed=0
for processor in "$@"; do
  case $processor in
    AVX512) isa=AVX512_CORE target=AVX3 feature=avx512bw ;;
    AVX2) isa=AVX2 target=AVX2 feature=avx2 ;;
    SSE4) isa=SSE41 target=SSE4 feature=sse4_1 ;;
    *) echo "usage: $0 [BUILD [AVX512|AVX2|SSE4]...]" >&2; exit 2 ;;
  esac
  if ! grep -qw "$feature" /proc/cpuinfo; then
    echo "left out: $processor, which this processor lacks"
    continue
  fi
  output=$(LD_PRELOAD=$preload ONEDNN_MAX_CPU_ISA=$isa LIMBIC_TEST_TARGET=$target \
    scripts/run_tests.sh "$build" 2>&1)
  status=$?
  [ $status -eq 0 ] || { failed=1; grep -v -E 'MESSAGE|Passed' <<<"$output"; }
  echo "$processor: $(tail -1 <<<"$output")"
done
exit $failed
