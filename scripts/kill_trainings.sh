#!/bin/bash
# Kills `limbic train` and `limbic fit` at random moments and resumes them, until N kills have struck.
# A resumed training must end with the bytes of an undisturbed one; a fit over a finished model folder
# must leave the old model or the new one, which both still predict.
#
#   scripts/kill_trainings.sh [N]      (default 50)
set -u
cd "$(dirname "$0")/.." || exit 1
kills=${1:-50}
limbic=$PWD/build/limbic
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
RANDOM=7

fail() {
  echo "kill_trainings: $*" >&2
  exit 1
}

"$limbic" demo --out demo --quiet --epochs 1 --train-per-class 6 --test-per-class 2 >demo.log 2>&1 ||
  fail "the demo failed: $(tail -1 demo.log)"
photos=$(find demo/pictures -mindepth 1 -type d -exec sh -c 'ls -d "$1"/*/ >/dev/null 2>&1' _ {} \; \
  -print | head -1)
[ -n "$photos" ] || photos=demo/pictures

train() {
  "$limbic" train --data "$photos" --no-val --model resnet8 --image-size 16 --epochs 6 --batch-size 8 \
    --checkpoint-interval 2 --quiet --threads 1 --out "$1" "${@:2}"
}
fit() {
  "$limbic" fit --data "$photos" --diff1 resnet8 --diff2 none --supplement none --image-size 16 \
    --epochs 2 --batch-size 8 --quiet --threads 1 --out "$1" "${@:2}"
}
# Runs "$@" and kills it after a random part of $1 milliseconds; 0 where the kill struck.
killed() {
  local most=$1 pid
  shift
  "$@" >killed.log 2>&1 &
  pid=$!
  sleep "$(awk "BEGIN { print $RANDOM % $most / 1000 }")"
  pkill -9 -P "$pid" 2>/dev/null
  kill -9 "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
  [ $? -gt 128 ]
}

start=$(date +%s%N)
train undisturbed >train.log 2>&1 || fail "train: $(tail -1 train.log)"
took=$((($(date +%s%N) - start) / 1000000))
struck=0
while [ $struck -lt $((kills / 2)) ]; do
  rm -rf run
  tries=0
  while killed "$took" train run --resume && [ $struck -lt $((kills / 2)) ]; do
    struck=$((struck + 1)) tries=$((tries + 1))
  done
  train run --resume >train.log 2>&1 || fail "resuming after $tries kills: $(tail -1 train.log)"
  cmp run/weights/final.safetensors undisturbed/weights/final.safetensors ||
    fail "after $tries kills the weights are others"
done

fit model --alpha 0.1 >fit.log 2>&1 || fail "fit: $(tail -1 fit.log)"
picture=$(find "$photos" -type f | sort | head -1)
old=$("$limbic" predict model "$picture" --format json --quiet) || fail "predict"
start=$(date +%s%N)
fit other --alpha 0.9 >fit.log 2>&1 || fail "fit: $(tail -1 fit.log)"
took=$((($(date +%s%N) - start) / 1000000))
new=$("$limbic" predict other "$picture" --format json --quiet) || fail "predict"
[ "$old" != "$new" ] || fail "both models say the same, which tests nothing"
while [ $struck -lt "$kills" ]; do
  rm -rf over
  cp -r model over
  killed "$took" fit over --alpha 0.9 && struck=$((struck + 1))
  now=$("$limbic" predict over "$picture" --format json --quiet 2>&1) || fail "neither model loads: $now"
  [ "$now" = "$old" ] || [ "$now" = "$new" ] || fail "a mixture of two models answers: $now"
done
echo "$struck kills: every training ended with the same bytes, every folder held one whole model"
