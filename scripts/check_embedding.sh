#!/bin/bash
# A project of its own (tests/embedding) uses Limbic: installed, by find_package and by pkg-config, and
# as a subdirectory; and ring 1 alone, which needs oneDNN and Highway and looks for nothing else.
# Prints what it did; takes some minutes without ccache.
#
#   scripts/check_embedding.sh [FOLDER]      (default build-embedding)
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
out=$(realpath -m "${1:-build-embedding}")
rm -rf "$out"
mkdir -p "$out"
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
expected="logits (4,8)"

quietly() {
  "$@" >"$out/log" 2>&1 || { tail -20 "$out/log"; exit 1; }
}

runs() {
  local said
  said=$("$1")
  [[ $said == "$expected" ]] || { echo "check_embedding: $1 said '$said'" >&2; exit 1; }
}

for ring in 1 2; do
  built=$out/ring$ring installed=$out/installed$ring
  quietly cmake -S . -B "$built" -G Ninja -DCMAKE_BUILD_TYPE=Release -DLIMBIC_RING=$ring \
    -DLIMBIC_TESTS=OFF -DCMAKE_INSTALL_PREFIX="$installed" "${launcher[@]}"
  if ((ring == 1)); then
    others=$(grep -E '^(LIMBIC_.*_LIBRARY|.*_DIR|ZLIB.*|.*JSON.*):.*=/' "$built/CMakeCache.txt" |
      grep -vE 'LIMBIC_(DNNL|HWY)_LIBRARY|limbic_(SOURCE|BINARY)_DIR|CMAKE_' || true)
    [[ -z $others ]] || { echo "check_embedding: ring 1 looked for more: $others" >&2; exit 1; }
  fi
  quietly cmake --build "$built"
  quietly cmake --install "$built"
  quietly cmake -S tests/embedding -B "$out/found$ring" -G Ninja -DCMAKE_PREFIX_PATH="$installed"
  quietly cmake --build "$out/found$ring"
  runs "$out/found$ring/embedding"
  runs "$out/found$ring/own_threads"
  if ((ring == 2)); then
    for name in train_an_svm load_and_classify; do
      (cd "$out" && quietly "found$ring/$name")
    done
  fi
  flags=$(PKG_CONFIG_PATH=$(dirname "$(find "$installed" -name limbic.pc)") \
    pkg-config --cflags --libs limbic)
  # shellcheck disable=SC2086  # flags are words
  quietly c++ examples/readme.cpp -o "$out/by_pkg_config$ring" $flags
  runs "$out/by_pkg_config$ring"
  # shellcheck disable=SC2086
  ((ring == 1)) || quietly c++ examples/train_an_svm.cpp -o "$out/svm_by_pkg_config" $flags
  # shellcheck disable=SC2086
  if c++ -E -H examples/readme.cpp $flags 2>&1 >/dev/null | grep -q 'oneapi/dnnl'; then
    echo "check_embedding: limbic.hpp includes oneDNN's headers" >&2
    exit 1
  fi
  echo "ring $ring: installed; find_package and pkg-config: $expected;" \
    "needs $(ldd "$out/found$ring"/* 2>/dev/null | grep -oE '(libdnnl|libhwy|libmd|libjpeg|libpng16|libwebp|libwebpdemux|libgif|libz)\.' | sort -u | tr -d '\n')"
done

# Without what Limbic needs a project that can do without it goes on, and one that cannot is told:
# here an installation that wants a library which nobody has.
cp -r "$out/installed1" "$out/wanting"
sed -i 's/limbic_dependency(dnnl dnnl /limbic_dependency(dnnl nobodys_dnnl /' \
  "$(find "$out/wanting" -name dependencies.cmake)"
find_wanting() {
  printf '%s\n' 'cmake_minimum_required(VERSION 3.22)' 'project(p CXX)' \
    "find_package(limbic $1)" 'message(STATUS "found: ${limbic_FOUND}")' >"$out/CMakeLists.txt"
  cmake -S "$out" -B "$out/without$1" -DCMAKE_PREFIX_PATH="$out/wanting" 2>&1 || true
}
for expected_words in 'QUIET found: (0|FALSE)' 'REQUIRED .*built with what is not here: libnobodys_dnnl'; do
  said=$(find_wanting "${expected_words%% *}" | tr '\n' ' ' | tr -s ' ')
  grep -qE "${expected_words#* }" <<<"$said" || { echo "check_embedding: $said" >&2; exit 1; }
done
echo "find_package without oneDNN: not found, and says so"

for ring in 1 2; do
  quietly cmake -S tests/embedding -B "$out/subdirectory$ring" -G Ninja -DLIMBIC_SOURCE="$root" \
    -DLIMBIC_RING=$ring "${launcher[@]}"
  quietly cmake --build "$out/subdirectory$ring"
  runs "$out/subdirectory$ring/embedding"
  if ((ring == 2)); then
    for name in train_an_svm load_and_classify; do
      (cd "$out" && quietly "subdirectory$ring/$name")
    done
  fi
  echo "ring $ring: as a subdirectory, without a build type: $expected"
done
