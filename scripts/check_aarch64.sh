#!/bin/bash
# Builds for 64-bit ARM with Debian's cross compiler and runs it here under qemu's user emulation: the
# tests of core, threads, SVM and of every op, small networks whole, squeezenet1_1 against the program
# of this machine where its weights are given, and one SVM fit. At most an hour; no speed is claimed.
#
#   scripts/check_aarch64.sh [SQUEEZENET_WEIGHTS PHOTO...]
set -uo pipefail
cd "$(dirname "$0")/.."
out=build-aarch64/check
failed=0

as_root=""
[ "$(id -u)" -eq 0 ] || as_root=sudo
command -v qemu-aarch64 >/dev/null && command -v aarch64-linux-gnu-g++ >/dev/null ||
  $as_root apt-get install -y -qq --no-install-recommends qemu-user g++-aarch64-linux-gnu || exit 1
scripts/install_dependencies.sh static || exit 1
scripts/build_libraries.sh aarch64 || exit 1
mkdir -p "$out"
log=$out/build.log
cmake --preset aarch64 >"$log" 2>&1 &&
  cmake --build --preset aarch64 --target limbic test_core test_threads test_svm test_nn \
    >>"$log" 2>&1 || { tail -20 "$log"; exit 1; }
file build-aarch64/limbic

run() {
  local name=$1 start=$SECONDS
  shift
  if output=$("$@" 2>&1); then
    echo "passed ($((SECONDS - start)) s): $name: $(grep -E 'test cases|top-1' <<<"$output" | tail -1)"
  else
    failed=1
    echo "FAILED ($((SECONDS - start)) s): $name"
    tail -30 <<<"$output"
  fi
}

arm=(qemu-aarch64 build-aarch64/limbic)
"${arm[@]}" --version
# Left out: what qemu's user emulation itself cannot do (a limit of the address space, a handler of
# SIGBUS that was there before, a fork of a process with threads, counts of its own threads).
run core qemu-aarch64 build-aarch64/tests/test_core \
  --test-case-exclude='address space*,file: a bus error*'
run threads qemu-aarch64 build-aarch64/tests/test_threads \
  --test-case-exclude='pool: a child made by fork*,pool: no thread is made or ended*'
run svm qemu-aarch64 build-aarch64/tests/test_svm
# Every op against its plain twin and by its gradient.
run "ops" qemu-aarch64 build-aarch64/tests/test_nn --test-case='ops:*,conv2d:*,reference:*,winograd:*,softmax*'

same() {
  # "picture index probability" of both programs: the same first class, nearly the same numbers.
  build/limbic classify --format json --quiet "$@" >"$out/here.json" &&
    "${arm[@]}" classify --format json --quiet "$@" >"$out/arm.json" &&
    scripts/same_answers.sh "$out/here.json" "$out/arm.json" 1e-4
}
build/limbic demo --out "$out/demo" --seed 0 --epochs 3 --train-per-class 12 --test-per-class 4 \
  --quiet >/dev/null 2>&1
mapfile -t drawn < <(find "$out/demo/pictures" -name '*.png' | sort | head -8)
run "resnet8" same --model resnet8 --weights "$out/demo/supplement.safetensors" "${drawn[@]}"
if [ $# -ge 2 ]; then run "squeezenet1_1" same --weights "$@"; fi

# One fit by both: the same support vectors.
fit() {
  awk 'BEGIN { srand(1); for (i = 0; i < 200; ++i) { x = rand(); y = rand();
    print (x * x + y > 0.7 ? 1 : -1), "1:" x, "2:" y } }' >"$out/data"
  build/limbic svm-train -g 2 "$out/data" "$out/here.model" >/dev/null &&
    "${arm[@]}" svm-train -g 2 "$out/data" "$out/arm.model" >/dev/null &&
    [ "$(grep total_sv "$out/here.model")" = "$(grep total_sv "$out/arm.model")" ]
}
run "one SVM fit" fit
exit $failed
