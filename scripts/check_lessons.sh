#!/bin/bash
# The course as students meet it, in a copy: with each compiler that is there, our solutions pass and
# skeletons fail; mistakes that many make are found with the hint that is meant for them; what is
# missing is said in one line.
#
#   scripts/check_lessons.sh [COMPILER...]      g++ clang++ em++ unless named
set -u
cd "$(dirname "$0")/.." || exit 1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/docs"
cp -r docs/course "$folder/docs/course"
cp -r reference Makefile "$folder"
cd "$folder" || exit 1
failed=0

# expect STATUS WORDS LESSON [VARIABLE=VALUE...]: what `make lesson` ends with and says.
expect() {
  local status=$1 words=$2 number=$3
  shift 3
  local out came
  out=$(make -s lesson N="$number" "$@" 2>&1)
  came=$?
  [ $came -ne 0 ] && came=1
  if [ $came -ne "$status" ] || ! grep -qF -- "$words" <<<"$out"; then
    failed=1
    printf 'lesson %s: expected status %s and "%s", got\n%s\n' "$number" "$status" "$words" "$out"
  fi
}

# mistake LESSON SED WORDS: our solution with this change, and what the hint should say.
mistake() {
  local exercise=docs/course/0$1/exercise.cpp solution=docs/course/0$1/solution/exercise.cpp
  cp "$exercise" skeleton
  sed "s|\.\./exercise|exercise|; $2" "$solution" >"$exercise"
  if sed 's|\.\./exercise|exercise|' "$solution" | cmp -s - "$exercise"; then
    failed=1
    echo "lesson $1: '$2' changes nothing"
  fi
  expect 1 "$3" "$1" CXX=g++
  cp skeleton "$exercise"
}

[ $# -gt 0 ] || set -- g++ clang++ em++
for compiler; do
  command -v "$compiler" >/dev/null || { echo "$compiler: skipped"; continue; }
  for number in 1 2 3 4 5 6 7 8; do
    expect 0 "3 of 3 exercises solved" $number SOLUTION=1 CXX="$compiler"
    expect 1 "0 of 3 exercises solved" $number CXX="$compiler"
  done
  echo "$compiler: solutions and skeletons"
done

mistake 1 's|(y \* o.width + x) \* 3 + c|(c * o.height + y) * o.width + x|' "order of the file"
mistake 1 's|(value / 255 - o.mean\[channel\]) / o.dev|value / 255 / o.dev|' "subtract the channel's mean"
mistake 1 's|+ 0.5) \* scale - 0.5|) * scale|' "pixel's left edge"
mistake 1 's|std::clamp(middle, 0.0, .*);|middle;|' "hint"
mistake 1 's|src.shape\[2\] - 1 - x, y|x, src.shape[3] - 1 - y|' "counter-clockwise"
mistake 2 's|free / window.stride + 1|(free + window.stride - 1) / window.stride + 1|' "round down"
mistake 2 's|free < 0 ? 0 : ||' "does not fit"
mistake 2 's|(w.kernel_size - 1) \* w.dilation + 1|w.kernel_size|' "span 5 pixels"
mistake 2 's|row = y \* window.stride - window.padding|row = y * window.stride|' "hint"
mistake 2 's|step \*= layer.stride|step = layer.stride|' "strides multiply"
mistake 3 's|src\[i\] > 0|src[i] >= 0|' "at 0 itself take 0"
mistake 3 's|relu_backward(hidden, second.src)|second.src|' "relu's gradient is missing"
mistake 3 's|(2 \* h)|h|' "2 h apart"
mistake 3 's|below = f(moved)|below = f(x)|; s|(2 \* h)|h|' "forward difference"
mistake 4 's| - sum / n||' "sum(dy) / n is missing"
mistake 4 's| - normalised(i) \* sum_normalised / n||' "variance depends on src"
mistake 4 's|norm.mean\[o\] \* scale|norm.mean[o]|' "scaled as the weights"
mistake 4 's|reference::add(d, \(reference::conv2d_backward.*\));|\1;|' "src itself is read"
mistake 4 's|d = reference::relu_backward(sum, dy)|d = dy|' "relu's gradient is missing"
mistake 5 's|begin += piece.shape\[1\];||' "begins behind"
mistake 5 's|if (block > 0) ||' "in front of the first block"
mistake 5 's|gradient.at(n, c, y, x) += sent|gradient.at(n, c, y, x) = sent|' "*added*"
mistake 5 's|d = reference::relu_backward(channels(dst, own), channels(gradient, own))|d = channels(gradient, own)|' "relu's gradient"
mistake 6 's|double largest = logits.at(n, 0)|double largest = 0 * logits.at(n, 0)|; s|largest = std::max(.*);|;|' "is infinite"
mistake 6 's|(std::exp(logits.at(n, c) - largest) / sum - (c == label ? 1 : 0)) / rows|std::exp(logits.at(n, c) - largest) / sum - (c == label ? 1 : 0)|' "divided by the rows"
mistake 6 's|o.learning_rate \* velocity|o.learning_rate * gradient|' "not by the gradient"
mistake 6 's|share(step + 1,|share(step,|' "rate 0 is wasted"
mistake 6 's|share(step - schedule.warmup, schedule.steps - schedule.warmup)|share(step, schedule.steps)|' "behind the warm-up"
mistake 7 's|flops = 2 \*|flops =|' "two operations"
mistake 7 's|std::max(flops / machine.flops_per_second, |(flops / machine.flops_per_second + |' "not the sum"
mistake 7 's|/ 127|/ 128|' "128 does not fit"
mistake 7 's|std::lround(x / out.scale)|x / out.scale|' "cut off"
mistake 7 's|std::abs(x)|x|' "magnitudes"
mistake 8 's|std::exp(-gamma|std::exp(gamma|' "the sign"
mistake 8 's|std::min({wanted, room_i, room_j})|wanted|' "nothing is clipped"
mistake 8 's|pair.K_jj - 2 \* pair.K_ij|pair.K_jj|' "2 K_ij is missing"
mistake 8 's|v.alpha > 0 \&\& v.alpha < C) sum|v.alpha > 0) sum|' "alpha = C is not free"
echo "mistakes and their hints"

# An index far outside, a loop without end is left to patience, a lesson that lost a file, one half solved.
mistake 1 's|src.shape\[2\] - 1 - x, y|0, 1000000000|' "outside of its array"
mistake 1 's|return dst;|retrun dst;|' "does not compile"
sed 's|\.\./exercise|exercise|; s|^\(Array turn_clockwise.*{\)$|\1 not_solved(src);|' \
  docs/course/01/solution/exercise.cpp >docs/course/01/exercise.cpp
expect 1 "2 of 3 exercises solved" 1
mv docs/course/05 docs/course/dense
expect 1 "docs/course/05/check.cpp is not there: 'git checkout docs/course/05' brings it back." 5
expect 1 "There is no lesson 9: N is 1 to 8" 9
expect 1 "Which lesson?" ""
[ $failed -eq 0 ] && echo "check_lessons.sh: passed"
exit $failed
