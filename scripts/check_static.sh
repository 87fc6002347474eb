#!/bin/bash
# Holds build-static/limbic against build/limbic: no dynamic dependencies, the same classes, nearly
# the same probabilities (another version of oneDNN adds in another order), the speed of both.
#
#   scripts/check_static.sh                      a network and pictures that the demo makes
#   scripts/check_static.sh CLASSIFY-ARGUMENTS   --model squeezenet1_1 --weights FILE photos/*
set -euo pipefail
static=build-static/limbic
shared=build/limbic
out=build-static/check
mkdir -p "$out"

fail() {
  echo "check_static: $*" >&2
  exit 1
}

linked=$(ldd "$static" 2>&1 || true) # ldd fails where there is nothing dynamic
[[ $linked == *"not a dynamic executable"* ]] || fail "$static is not static: $linked"

if [ $# -eq 0 ]; then
  "$static" demo --out "$out/demo" --seed 0 --epochs 3 --train-per-class 12 --test-per-class 4 \
    --quiet >"$out/demo.log" 2>&1 || { tail -5 "$out/demo.log" >&2; fail "the demo failed"; }
  mapfile -t pictures < <(find "$out/demo/pictures" -name '*.png' | sort)
  set -- --model resnet8 --weights "$out/demo/supplement.safetensors" "${pictures[@]}"
fi
"$shared" classify --format json --quiet "$@" >"$out/shared.json"
"$static" classify --format json --quiet "$@" >"$out/static.json"

# "picture index probability", the most probable class of each picture first.
numbers() {
  grep -noE '"(index|probability)":[-+.0-9e]+' "$1" | tr -d '"' |
    awk -F: '$2 == "index" { index_ = $3; next } { print $1, index_, $3 }'
}
numbers "$out/shared.json" >"$out/shared.numbers"
numbers "$out/static.json" >"$out/static.numbers"
awk '
  NR == FNR { at[$1, $2] = $3; if (!($1 in top)) top[$1] = $2; next }
  !($1 in seen) { seen[$1]; pictures++; same += top[$1] == $2 }
  ($1, $2) in at { d = $3 - at[$1, $2]; if (d < 0) d = -d; if (d > largest) largest = d; both++ }
  END {
    printf "static and shared: the same top-1 on %d of %d pictures, largest difference of %d " \
      "probabilities %.2g\n", same, pictures, both, largest
    exit !(pictures > 0 && same == pictures && largest < 1e-3)
  }' "$out/shared.numbers" "$out/static.numbers" || fail "the programs disagree"

for mode in infer train; do
  for program in "$shared" "$static"; do
    printf '%-20s resnet18 %s, batch 8:' "$program" "$mode"
    "$program" bench --model resnet18 --mode "$mode" --batch-size 8 --repeat 10 --quiet | sed -n 2p
  done
done
cat build-libraries/*.time
strip -o "$out/stripped" "$static"
megabytes() { awk -v bytes="$(stat -c %s "$1")" 'BEGIN { printf "%.1f MB", bytes / 1e6 }'; }
echo "$static: $(megabytes "$static"), stripped $(megabytes "$out/stripped")"
echo "ldd: ${linked//[[:cntrl:]]/}"
