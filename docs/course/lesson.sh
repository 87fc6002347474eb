#!/bin/sh
# Builds and runs a part of a lesson with a C++ compiler alone: `make lesson N=3` checks a student's
# exercises, `make lesson-run N=3` runs the lesson's program, `make lesson-figure N=3` draws its figure.
#
#   docs/course/lesson.sh lesson|lesson-run|lesson-figure N
#
# CXX chooses the compiler; SOLUTION=1 checks our solutions in place of the student's.
set -u
cd "$(dirname "$0")/../.." || exit 1
part=$1
number=${2:-}
: "${CXX:=g++}"

fail() {
  echo "$1" >&2
  exit 1
}

case $number in
  [1-8]) folder=docs/course/0$number ;;
  "") fail "Which lesson? 'make $part N=1' takes the first; there are eight." ;;
  *) fail "There is no lesson $number: N is 1 to 8, as in 'make $part N=1'." ;;
esac
for file in check.cpp run.cpp figure.cpp exercise.h exercise.cpp solution/exercise.cpp; do
  [ -f "$folder/$file" ] || fail "$folder/$file is not there: 'git checkout $folder' brings it back."
done
command -v "$CXX" >/dev/null ||
  fail "There is no compiler $CXX: 'apt install g++' installs one, 'make $part N=$number CXX=clang++' takes another."

exercise=$folder/solution/exercise.cpp
case $part in
  lesson) source=$folder/check.cpp; [ -n "${SOLUTION:-}" ] || exercise=$folder/exercise.cpp ;;
  lesson-run) source=$folder/run.cpp ;;
  lesson-figure) source=$folder/figure.cpp ;;
  *) fail "lesson.sh: expected lesson, lesson-run or lesson-figure, got $part" ;;
esac

# Indices outside of a vector end the program rather than change something else.
flags="-std=c++20 -Wall -Wextra -Wshadow -I."
optimise="-O2 -D_GLIBCXX_ASSERTIONS"
link=
node=
case $CXX in
  *em++*) flags="$flags -fexceptions"; link="-fexceptions -sSINGLE_FILE -sALLOW_MEMORY_GROWTH"; node=node ;;
esac
[ "$number" != 7 ] || optimise="-O3"
[ "$number" != 7 ] || [ -n "$node" ] || optimise="-O3 -march=native"
[ -z "$node" ] || command -v node >/dev/null || fail "There is no node to run it: 'apt install nodejs' installs it."

build=build-course/$(basename "$CXX")
mkdir -p "$build/reference" || exit 1
for twin in reference/*.cpp; do
  object=$build/reference/$(basename "$twin" .cpp).o
  [ "$twin" != reference/lenet.cpp ] || continue  # a program of its own
  [ -f "$object" ] && [ -z "$(find reference -newer "$object")" ] && continue
  # shellcheck disable=SC2086
  "$CXX" $flags -O2 -c "$twin" -o "$object" || exit 1
done
program=$build/$part-$number${node:+.js}
# shellcheck disable=SC2086
{
  "$CXX" $flags $optimise -c "$source" -o "$program.main.o" &&
    "$CXX" $flags $optimise -c "$exercise" -o "$program.exercise.o" &&
    "$CXX" $link "$program.main.o" "$program.exercise.o" "$build"/reference/*.o -o "$program"
} || fail "Lesson $number does not compile; the compiler's first line above says where."

limit=
command -v timeout >/dev/null && limit="timeout 60"
$limit $node "$program"
status=$?
case $status in
  0) ;;
  1) [ "$part" != lesson ] || fail "Go on in $exercise; $folder/README.md explains." ;;
  124) fail "
It did not end within a minute; does a loop in $exercise go on for ever?" ;;
  *) fail "
It was stopped in the middle (status $status); is an index in $exercise outside of its array?" ;;
esac
exit $status
