#!/bin/bash
# Holds build-static/limbic against build/limbic: no dynamic dependencies; the same classes, nearly
# the same probabilities (another version of oneDNN adds in another order), also in an empty chroot and
# on emulated processors without AVX-512 and without AVX2 (where qemu-user is installed); the speed of
# both; sizes.
#
#   scripts/check_static.sh [inference]          a network and pictures that the demo makes
#   scripts/check_static.sh CLASSIFY-ARGUMENTS   --model squeezenet1_1 --weights FILE photos/*
set -euo pipefail
static=build-static/limbic libraries=build-libraries modes="infer train"
if [ "${1:-}" = inference ]; then
  shift
  static=build-static-inference/limbic libraries=build-libraries-inference modes=infer
fi
shared=build/limbic
out=$(dirname "$static")/check
mkdir -p "$out"

fail() {
  echo "check_static: $*" >&2
  exit 1
}

linked=$(ldd "$static" 2>&1 || true) # ldd fails where there is nothing dynamic
[[ $linked == *"not a dynamic executable"* ]] || fail "$static is not static: $linked"

if [ $# -eq 0 ]; then
  "$shared" demo --out "$out/demo" --seed 0 --epochs 3 --train-per-class 12 --test-per-class 4 \
    --quiet >"$out/demo.log" 2>&1 || { tail -5 "$out/demo.log" >&2; fail "the demo failed"; }
  mapfile -t pictures < <(find "$out/demo/pictures" -name '*.png' | sort)
  set -- --model resnet8 --weights "$out/demo/supplement.safetensors" "${pictures[@]}"
fi
"$shared" classify --format json --quiet "$@" >"$out/shared.json"
"$static" classify --format json --quiet "$@" >"$out/static.json"
echo "static and shared: $(scripts/same_answers.sh "$out/shared.json" "$out/static.json" 1e-3)" ||
  fail "the programs disagree"

# Nothing but the program and what it reads.
rm -rf "$out/root"
mkdir -p "$out/root"
cp --parents "$static" "$out/root"
for word in "$@"; do [ ! -f "$word" ] || cp --parents "$word" "$out/root"; done
enter=(chroot)
[ "$(id -u)" -eq 0 ] || enter=(unshare -r chroot)
if "${enter[@]}" "$out/root" "/$static" --version >/dev/null 2>&1; then
  (cd "$out/root" && "${enter[@]}" . "/$static" classify --tune off --format json --quiet "$@") \
    >"$out/chroot.json"
  echo "in an empty chroot: $(scripts/same_answers.sh "$out/static.json" "$out/chroot.json" 1e-4)" ||
    fail "the program in a chroot disagrees"
else
  echo "in an empty chroot: not run, neither root nor a user namespace is to be had"
fi

for processor in Haswell Nehalem; do
  if ! command -v qemu-x86_64 >/dev/null; then
    echo "on other processors: not run, qemu-user is not installed"
    break
  fi
  # qemu knows no AVX-512; Nehalem has SSE4.2 and no AVX.
  qemu-x86_64 -cpu "$processor" "$static" classify --tune off --format json --quiet "$@" \
    >"$out/$processor.json"
  echo "on an emulated $processor: $(scripts/same_answers.sh "$out/static.json" \
    "$out/$processor.json" 1e-4)" || fail "$processor disagrees"
done

for mode in $modes; do
  for program in "$shared" "$static" "$shared" "$static"; do
    printf '%-28s resnet18 %s, batch 8:' "$program" "$mode"
    "$program" bench --model resnet18 --mode "$mode" --batch-size 8 --repeat 10 --quiet | sed -n 2p
  done
done
cat "$libraries"/*.time
strip -o "$out/stripped" "$static"
megabytes() { awk -v bytes="$(stat -c %s "$1")" 'BEGIN { printf "%.1f MB", bytes / 1e6 }'; }
gzip -9 -c "$out/stripped" >"$out/stripped.gz"
echo "$static: $(megabytes "$static"), stripped $(megabytes "$out/stripped")," \
  "gzip -9 $(megabytes "$out/stripped.gz")"
echo "ldd: ${linked//[[:cntrl:]]/}"
