#!/bin/bash
# Kills what writes files, N times each: a training (`train --resume`), a fit over a finished model
# folder, a fit with its cache, `convert`, `extract` and `svm-train`. Half of a training's and a fit's
# kills come at random moments, all others within a write: half of it is made, or the flush, the new
# name, the removal behind it is not (tests/cli/preload/kill_at_write.cpp). Whatever has its final
# name must then be the old file or the new one, whole, and the next run must end with the bytes, or
# the answers, of an undisturbed one.
#
# Then the same commands on a disk that is full, N / 5 times each with another number of bytes left: a
# status that is not 0, one line that names a file, the old contents, and no half of the new ones.
#
#   scripts/kill_writes.sh [N [COMMAND...]]      (default 50: train fit cache convert extract svm)
set -u
cd "$(dirname "$0")/.." || exit 1
kills=${1:-50}
limbic=${LIMBIC:-$PWD/build/limbic}
shift
commands=("$@")
[ $# -gt 0 ] || commands=(train fit cache convert extract svm)
preload=$PWD/build/tests/libkill_at_write.so
# A disk of our own to fill: a file system in memory, in a name space that ends with this script.
if [ -z "${LIMBIC_OWN_MOUNTS:-}" ]; then
  export LIMBIC_OWN_MOUNTS=yes
  unshare -m true 2>/dev/null && exec unshare -m "$0" "$kills" "${commands[@]}"
  unshare -rm true 2>/dev/null && exec unshare -rm "$0" "$kills" "${commands[@]}"
  export LIMBIC_OWN_MOUNTS=none
fi
work=$(mktemp -d)
# shellcheck disable=SC2064
trap "umount '$work/disk' 2>/dev/null; rm -rf '$work'" EXIT
cd "$work" || exit 1
RANDOM=7
struck=0

fail() {
  echo "kill_writes: $*" >&2
  exit 1
}
[ -f "$preload" ] || fail "$preload is missing; make build"

"$limbic" demo --out demo --quiet --epochs 1 --train-per-class 6 --test-per-class 2 >demo.log 2>&1 ||
  fail "the demo failed: $(tail -1 demo.log)"
photos=$work/photos
for class in $(find demo/pictures/train -mindepth 1 -maxdepth 1 -type d | sort | head -3); do
  mkdir -p "$photos" && cp -r "$class" "$photos/"
done
picture=$(find "$photos" -type f | sort | head -1)

train() {
  "$limbic" train --data "$photos" --no-val --model resnet8 --image-size 16 --epochs 6 --batch-size 4 \
    --checkpoint-interval 2 --quiet --threads 1 --out "$1" "${@:2}"
}
train undisturbed >train.log 2>&1 || fail "train: $(tail -1 train.log)"
weights=$work/undisturbed/weights/final.safetensors
fit() {
  "$limbic" fit --data "$photos" --diff1 resnet8 --diff1-weights "$weights" --diff2 none \
    --supplement none --image-size 16 --epochs 0 --batch-size 8 --quiet --threads 1 --out "$1" "${@:2}"
}
fit_longer() {
  "$limbic" fit --data "$photos" --diff1 resnet8 --diff2 none --supplement none --image-size 16 \
    --epochs 2 --batch-size 8 --quiet --threads 1 --out "$1" --force "${@:2}"
}
predict() { "$limbic" predict "$1" "$picture" --format json --quiet 2>&1; }

# Runs "$@" and kills it after a random part of $1 milliseconds; 0 where the kill struck.
killed() {
  local after pid killer status
  after=$(awk "BEGIN { print $RANDOM % $1 / 1000 }")
  shift
  "$@" >killed.log 2>&1 &
  pid=$!
  (
    sleep "$after"
    pkill -9 -P "$pid"
    kill -9 "$pid"
  ) 2>/dev/null &
  killer=$!
  wait "$pid" 2>/dev/null
  status=$?
  pkill -P "$killer" 2>/dev/null # the work may have ended before
  wait "$killer" 2>/dev/null
  [ $status -gt 128 ]
}
milliseconds() {
  local start
  start=$(date +%s%N)
  "$@" >took.log 2>&1 || fail "$*: $(tail -1 took.log)"
  echo $((($(date +%s%N) - start) / 1000000))
}
# The changes that "$@" makes to files.
changes() {
  LD_PRELOAD=$preload LIMBIC_COUNT=$work/count "$@" >count.log 2>&1 ||
    fail "$*: $(tail -1 count.log)"
  cat "$work/count"
}
# Runs "${@:2}" and kills it at a random one of its first $1 changes; 0 where that struck.
struck_at() {
  local number=$((1 + (RANDOM * 32768 + RANDOM) % $1))
  { LD_PRELOAD=$preload LIMBIC_KILL_AT=$number "${@:2}" >killed.log 2>&1; } 2>/dev/null
  [ $? -gt 128 ] && struck=$((struck + 1))
}
# Every .safetensors file below $1 is whole.
all_whole() {
  local file
  for file in $(find "$1" -name '*.safetensors'); do
    case $file in *.new.safetensors) continue ;; esac # a draft's name
    "$limbic" inspect "$file" >inspect.log 2>&1 || fail "$file: $(tail -1 inspect.log)"
  done
}
# What lies in a folder, drafts left out that a killed run could not remove.
contents() { (cd "$1" && find . -type f ! -name '*.tmp.*' -exec sha256sum {} + | sort -k 2); }

kill_train() {
  local took count before=$struck
  took=$(milliseconds train timed)
  count=$(changes train counted)
  while [ $((struck - before)) -lt "$kills" ]; do
    rm -rf run
    for _ in 1 2 3 4; do
      if [ $((struck % 2)) -eq 0 ]; then
        killed "$took" train run --resume && struck=$((struck + 1))
      else
        struck_at "$count" train run --resume
      fi
      [ ! -d run/weights ] || all_whole run
    done
    train run --resume >train.log 2>&1 || fail "resuming: $(tail -1 train.log)"
    cmp run/weights/final.safetensors "$weights" || fail "after kills the weights are others"
  done
}

# $1: the fit; $2: how often of two the moment is random rather than within a write.
kill_fit_over() {
  local took count now before=$struck
  rm -rf model other timed
  "$1" model --alpha 0.1 >fit.log 2>&1 || fail "fit: $(tail -1 fit.log)"
  "$1" other --alpha 0.9 >fit.log 2>&1 || fail "fit: $(tail -1 fit.log)"
  local old new
  old=$(predict model) && new=$(predict other) || fail "predict: $old $new"
  [ "$old" != "$new" ] || fail "both models say the same, which tests nothing"
  took=$(milliseconds "$1" timed --alpha 0.9)
  count=$(changes "$1" timed --force --alpha 0.9)
  while [ $((struck - before)) -lt "$2" ]; do
    rm -rf over
    cp -r model over
    if [ "$3" = time ]; then
      killed "$took" "$1" over --force --alpha 0.9 && struck=$((struck + 1))
    else
      struck_at "$count" "$1" over --force --alpha 0.9
    fi
    now=$(predict over) || fail "neither model loads: $now"
    [ "$now" = "$old" ] || [ "$now" = "$new" ] || fail "a mixture of two models answers: $now"
    "$1" over --force --alpha 0.9 >fit.log 2>&1 || fail "fit after a kill: $(tail -1 fit.log)"
    [ "$(predict over)" = "$new" ] || fail "after a kill the same fit gives another model"
    [ "$(contents over | grep -v /cache/ | wc -l)" = "$(contents other | grep -v /cache/ | wc -l)" ] ||
      fail "a kill leaves files behind: $(ls over)"
  done
}
kill_fit() {
  kill_fit_over fit_longer $((kills / 2)) time
  kill_fit_over fit $((kills - kills / 2)) write
}

kill_cache() {
  local count answer before=$struck
  rm -rf whole
  fit whole >fit.log 2>&1 || fail "fit: $(tail -1 fit.log)"
  answer=$(predict whole)
  rm -rf counted
  count=$(changes fit counted)
  while [ $((struck - before)) -lt "$kills" ]; do
    rm -rf fresh
    for _ in 1 2 3; do struck_at "$count" fit fresh --force; done
    [ ! -d fresh ] || all_whole fresh
    fit fresh --force >fit.log 2>&1 || fail "fit after a kill: $(tail -1 fit.log)"
    [ "$(predict fresh)" = "$answer" ] || fail "after a kill the features are others"
    all_whole fresh
  done
}

# $1: the file that "${@:2}" writes, where an old one lies in "old"; the new one in "new".
kill_file() {
  local count file=$1 before=$struck
  shift
  count=$(changes "$@")
  cp "$file" new
  cmp -s old new && fail "$1: old and new are equal, which tests nothing"
  while [ $((struck - before)) -lt "$kills" ]; do
    cp old "$file"
    struck_at "$count" "$@"
    cmp -s "$file" old || cmp -s "$file" new || fail "$file: neither the old file nor the new one"
    "$@" >again.log 2>&1 || fail "$*, after a kill: $(tail -1 again.log)"
    cmp -s "$file" new || fail "$file: after a kill the same command writes another"
  done
}

convert() { "$limbic" convert "$weights" "$1/out.safetensors" --quiet "${@:2}"; }
extract() {
  "$limbic" extract --weights "$weights" --data "$photos" --threads 1 --quiet \
    --out "$1/out.safetensors" "${@:2}"
}
svm() { "$limbic" svm-train -q "${@:2}" "$work/features.safetensors" "$1/out.model"; }
written() { [ "$1" = svm ] && echo out.model || echo out.safetensors; }
options() { case $1 in convert) echo --dtype bf16 ;; extract) echo --layer logits ;; svm) echo -c 9 ;; esac; }

kill_output() {
  rm -rf place
  mkdir place
  # shellcheck disable=SC2046
  "$1" place $(options "$1") >old.log 2>&1 || fail "$1: $(tail -1 old.log)"
  cp "place/$(written "$1")" old
  kill_file "place/$(written "$1")" "$1" place
}

extract "$work" >extract.log 2>&1 || fail "extract: $(tail -1 extract.log)"
mv out.safetensors features.safetensors

for command in "${commands[@]}"; do
  before=$struck start=$SECONDS
  case $command in
    train | fit | cache) "kill_$command" ;;
    *) kill_output "$command" ;;
  esac
  echo "$command: $((struck - before)) kills, $((SECONDS - start)) s"
done

# --- A full disk.

disk=$work/disk
mkdir -p "$disk"
if [ "$LIMBIC_OWN_MOUNTS" = yes ] && mount -t tmpfs -o size=8m tmpfs "$disk" 2>/dev/null; then
  full="a full disk"
  bytes_left() { # all but $1
    local free
    free=$(df --output=avail -B 1 "$disk" | tail -1)
    head -c $((free > $1 ? free - $1 : 0)) /dev/zero >"$disk/ballast"
  }
  more_room() { rm -f "$disk/ballast"; }
  limited() { "$@"; }
else
  full="files limited by ulimit -f"
  limit=unlimited
  bytes_left() { limit=$(($1 / 1024)); }
  more_room() { limit=unlimited; }
  limited() { (trap '' XFSZ && ulimit -f "$limit" && "$@"); }
fi

# Runs "$@" with $1 bytes left where it writes; succeeds where it did not, in the way it should.
refused() {
  local left=$1 lines
  shift
  bytes_left "$left"
  limited "$@" >refused.out 2>refused.log && { more_room; return 1; }
  [ $? -lt 126 ] || fail "$* dies with $left bytes left: $(tail -1 refused.log)"
  more_room
  lines=$(wc -l <refused.log)
  [ "$lines" -eq 1 ] && grep -q "^limbic: $disk/.*: cannot " refused.log ||
    fail "$* with $left bytes left says: $(cat refused.log)"
  [ -z "$(find "$disk" -name '*.tmp.*' -o -name '*.new.safetensors')" ] ||
    fail "$* with $left bytes left leaves: $(ls -R "$disk")"
}

full_output() {
  local file=$disk/$(written "$1") size times refusals=0
  "$1" "$disk" >new.log 2>&1 || fail "$1: $(tail -1 new.log)"
  cp "$file" new
  size=$(stat -c %s new)
  # shellcheck disable=SC2046
  "$1" "$disk" $(options "$1") >old.log 2>&1 || fail "$1: $(tail -1 old.log)"
  cp "$file" old
  for ((times = 0; times < kills / 5 + 1; ++times)); do
    # The first with nothing left. Pages are 4 KB, so the last of these may do.
    if refused $((times == 0 ? 0 : (RANDOM * 32768 + RANDOM) % size)) "$1" "$disk"; then
      cmp -s "$file" old || fail "$1: the old file is gone"
      refusals=$((refusals + 1))
    else
      cmp -s "$file" new || fail "$1: has status 0 and no whole file"
      cp old "$file"
    fi
  done
  "$1" "$disk" >again.log 2>&1 && cmp -s "$file" new || fail "$1: with room again: $(tail -1 again.log)"
  [ $refusals -gt 0 ] || fail "$1 never met the full disk"
  rm -f "$file"
  echo "$1: $refusals refusals"
}

full_fit() {
  local old times refusals=0 new
  fit "$disk/model" --alpha 0.1 >fit.log 2>&1 || fail "fit: $(tail -1 fit.log)"
  old=$(predict "$disk/model")
  contents "$disk/model" >old.list
  fit "$disk/other" --alpha 0.9 >fit.log 2>&1 || fail "fit: $(tail -1 fit.log)"
  new=$(predict "$disk/other")
  rm -rf "$disk/other"
  for ((times = 0; times < kills / 5 + 1; ++times)); do
    if refused $((times == 0 ? 0 : (RANDOM * 32768 + RANDOM) % 340000)) \
      fit "$disk/model" --force --alpha 0.9; then
      [ "$(predict "$disk/model")" = "$old" ] || fail "fit: the old model is gone"
      contents "$disk/model" | diff old.list - || fail "fit: leaves other files"
      refusals=$((refusals + 1))
    else
      [ "$(predict "$disk/model")" = "$new" ] || fail "fit: has status 0 and no whole model"
      fit "$disk/model" --force --alpha 0.1 >fit.log 2>&1 || fail "fit: $(tail -1 fit.log)"
    fi
  done
  fit "$disk/model" --force --alpha 0.9 >fit.log 2>&1 && [ "$(predict "$disk/model")" = "$new" ] ||
    fail "fit: with room again: $(tail -1 fit.log)"
  [ $refusals -gt 0 ] || fail "fit never met the full disk"
  rm -rf "$disk/model"
  echo "fit: $refusals refusals"
}

# A cache saves time and decides nothing: where it cannot be written that is a remark.
full_cache() {
  local answer out=$disk/fresh
  fit "$work/whole" --force >fit.log 2>&1
  answer=$(predict "$work/whole")
  mkdir -p "$out" "$work/elsewhere"
  fit "$out" --force >fit.log 2>&1 || fail "fit: $(tail -1 fit.log)"
  rm -rf "$out/cache"
  [ "$(predict "$out")" = "$answer" ] || fail "fit on another disk gives another model"
  refused 4096 fit "$out" --force --alpha 0.9 || fail "fit fits into 4096 bytes"
  all_whole "$out"
  [ "$(predict "$out")" = "$answer" ] || fail "cache: the old model is gone"
  rm -rf "$out"
  echo "cache: 1 refusal"
}

full_train() {
  local times refusals=0
  for ((times = 0; times < kills / 5 + 1; ++times)); do
    rm -rf "$disk/run"
    # Room for the first checkpoint in every other one.
    if refused $((times % 2 * 600000 + (RANDOM * 32768 + RANDOM) % 600000)) train "$disk/run"; then
      refusals=$((refusals + 1))
      [ ! -d "$disk/run" ] || all_whole "$disk/run"
    fi
    train "$disk/run" --resume >train.log 2>&1 || fail "resuming: $(tail -1 train.log)"
    cmp "$disk/run/weights/final.safetensors" "$weights" || fail "with room again the weights are others"
  done
  [ $refusals -gt 0 ] || fail "train never met the full disk"
  rm -rf "$disk/run"
  echo "train: $refusals refusals"
}

for command in "${commands[@]}"; do
  case $command in
    train | fit | cache) "full_$command" ;;
    *) full_output "$command" ;;
  esac
done
echo "$struck kills and $full: every file was the old one or the new one, every next run ended the same"
