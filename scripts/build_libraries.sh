#!/bin/bash
# Builds what `make static` links and Debian 12 does not have: oneDNN 3.x with only what Limbic
# calls, and Highway, both as static libraries, from the source packages of Debian 13, into
# build-libraries/. Does nothing where they are there already.
#
#   scripts/build_libraries.sh
#   ONEDNN_SOURCE=/unpacked/onednn HIGHWAY_SOURCE=/unpacked/highway scripts/build_libraries.sh
#
# The machine's apt settings are read, not changed: lists, caches and the one deb-src line are files
# of ours. apt checks the signature with Debian's keyring, as ever.
set -euo pipefail
cd "$(dirname "$0")/.."
prefix=$PWD/build-libraries
work=$prefix/work
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Convolutions, linear layers and reorders, forward and backward. AVX512 means bf16 and int8 (VNNI) too, and all
# that is older; AMX would add to size and time. ARCH_OPT_FLAGS empty: any x86-64, as the kernels are
# chosen at run time.
onednn_options=(-DONEDNN_LIBRARY_TYPE=STATIC -DONEDNN_CPU_RUNTIME=OMP -DONEDNN_GPU_RUNTIME=NONE
  "-DONEDNN_ENABLE_PRIMITIVE=CONVOLUTION;INNER_PRODUCT;REORDER" -DONEDNN_ENABLE_WORKLOAD=TRAINING
  -DONEDNN_ENABLE_PRIMITIVE_CPU_ISA=AVX512 -DONEDNN_ENABLE_GEMM_KERNELS_ISA=AVX512
  -DONEDNN_ARCH_OPT_FLAGS= -DONEDNN_BUILD_GRAPH=OFF -DONEDNN_BUILD_DOC=OFF
  -DONEDNN_BUILD_EXAMPLES=OFF -DONEDNN_BUILD_TESTS=OFF -DONEDNN_ENABLE_JIT_PROFILING=OFF
  -DONEDNN_ENABLE_ITT_TASKS=OFF)
highway_options=(-DBUILD_SHARED_LIBS=OFF -DHWY_ENABLE_CONTRIB=OFF -DHWY_ENABLE_EXAMPLES=OFF
  -DHWY_ENABLE_TESTS=OFF)

# The mirrors in this machine's apt settings, whatever the form of its files.
mirrors() {
  # shellcheck disable=SC2016 # apt's variables, not the shell's
  apt-get indextargets --format '$(COMPONENT) $(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "main" && $2 ~ /^(bookworm|trixie|forky|oldstable|stable|testing|unstable|sid)$/ {
      print $3 }' | sort -u
}

own_apt() {
  apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User= \
    "$@" >>"$work/apt.log" 2>&1
}

# The source package $1, unpacked in work/$1.
fetch() {
  local mirror
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
  for mirror in $(mirrors); do
    echo "deb-src [signed-by=$keyring] $mirror trixie main" >"$work/sources.list"
    rm -rf "$work/unpacking" "$work/$1"_*
    if own_apt update && (cd "$work" && own_apt --download-only source "$1") &&
      dpkg-source --no-copy -x "$work/$1"_*.dsc "$work/unpacking" >>"$work/apt.log" 2>&1; then
      mv "$work/unpacking" "$work/$1"
      return
    fi
  done
  [ ! -f "$work/apt.log" ] || tail -20 "$work/apt.log" >&2
  echo "No mirror in this machine's apt settings gave Debian 13's source package $1. If a key is" \
    "missing: apt-get install debian-archive-keyring. Otherwise unpack the package yourself and" \
    "name its folder in ${1^^}_SOURCE." >&2
  return 1
}

# build NAME SOURCE OPTIONS...: an interrupted build goes on where it was.
build() {
  local name=$1 source=$2 stamp="$prefix/$1.options" start=$SECONDS
  shift 2
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$*" ]; then return; fi
  # Debian's patch asks CMake for spdlog even where oneDNN's logging is off and includes none of it:
  # an empty answer does.
  mkdir -p "$work/spdlog"
  : >"$work/spdlog/spdlogConfig.cmake"
  if [ -z "$source" ]; then
    source=$work/$name
    [ -d "$source" ] || fetch "$name"
  fi
  echo "Building $name, once (log: build-libraries/work/$name.log)"
  if ! {
    cmake -S "$source" -B "$work/build-$name" -G Ninja -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
      -Dspdlog_DIR="$work/spdlog" "$@" &&
      cmake --build "$work/build-$name" && cmake --install "$work/build-$name"
  } >"$work/$name.log" 2>&1; then
    tail -40 "$work/$name.log" >&2
    exit 1
  fi
  echo "$*" >"$stamp"
  echo "$name built in $((SECONDS - start)) s" | tee "$prefix/$name.time"
}

build highway "${HIGHWAY_SOURCE:-}" "${highway_options[@]}"
build onednn "${ONEDNN_SOURCE:-}" "${onednn_options[@]}"
rm -rf "$work" # sources and objects, a few hundred MB
