#!/bin/bash
# Builds what `make static` links and Debian 12 does not have: oneDNN 3.x with only what Limbic
# calls, and Highway, both as static libraries, from the source packages of Debian 13. Does nothing
# where they are there already, of the same version, compiler and options.
#
#   scripts/build_libraries.sh              into build-libraries/
#   scripts/build_libraries.sh inference    into build-libraries-inference/, without training
#   scripts/build_libraries.sh aarch64      into build-libraries-aarch64/, with Debian's cross compiler
#   scripts/build_libraries.sh httplib      cpp-httplib's one header alone, for `limbic serve`
#   ONEDNN_SOURCE=/unpacked/onednn HIGHWAY_SOURCE=/unpacked/highway CPP_HTTPLIB_SOURCE=... \
#     scripts/build_libraries.sh
#
# The machine's apt settings are read, not changed: lists, caches and the deb-src line are files
# of ours. apt checks the signature with Debian's keyring, as ever.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:-all}
case $kind in
  all | httplib) prefix=$PWD/build-libraries ;;
  inference | aarch64) prefix=$PWD/build-libraries-$kind ;;
  *) echo "usage: $0 [inference|aarch64|httplib]" >&2; exit 2 ;;
esac
work=$prefix/work
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# What these scripts are for; others may compute something else, or slower (oneDNN 3.9 to 3.11.2
# were, in f32).
declare -A versions=([onednn]=3.7.2 [highway]=1.2.0 [cpp-httplib]=0.18.7)

compiler=(c++) cross=()
if [ "$kind" = aarch64 ]; then
  compiler=(aarch64-linux-gnu-g++)
  cross=(-DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/aarch64.cmake")
fi
workload=TRAINING
[ "$kind" != inference ] || workload=INFERENCE

# Small: code that makes code runs once a layer, and what it makes is as fast as ever. Sections, so
# that a link takes what it calls. Position-independent, for the shared library of the C interface.
flags="-Os -DNDEBUG -ffunction-sections -fdata-sections"
# Convolutions, linear layers and reorders. AVX512 means bf16 and int8 (VNNI) too, and all that is
# older; AMX would add to size and time. ARCH_OPT_FLAGS empty: any x86-64, as the kernels are chosen
# at run time.
onednn_options=(-DONEDNN_LIBRARY_TYPE=STATIC -DONEDNN_CPU_RUNTIME=OMP -DONEDNN_GPU_RUNTIME=NONE
  "-DONEDNN_ENABLE_PRIMITIVE=CONVOLUTION;INNER_PRODUCT;REORDER" -DONEDNN_ENABLE_WORKLOAD=$workload
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
  local mirror variable=${1^^}
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
    "missing: apt-get install debian-archive-keyring. Otherwise unpack version ${versions[$1]} of it" \
    "yourself and name its folder in ${variable//-/_}_SOURCE." >&2
  return 1
}

# A source of the version that is wanted, in work/$1: the user's, which is copied, or Debian's.
source_of() {
  local name=$1 given
  given=$(tr a-z- A-Z_ <<<"${name}_SOURCE")
  given=${!given:-}
  if [ ! -d "$work/$name" ]; then
    mkdir -p "$work"
    if [ -n "$given" ]; then cp -r "$given" "$work/$name"; else fetch "$name"; fi
  fi
  grep -qE "VERSION \"?${versions[$name]}\"?" "$work/$name"/{CMakeLists.txt,httplib.h} 2>/dev/null || {
    echo "${given:-$work/$name}: is not $name ${versions[$name]}, for which these scripts are" >&2
    return 1
  }
}

# build NAME OPTIONS...: an interrupted build goes on where it was.
build() {
  local name=$1 stamp="$prefix/$1.options" start=$SECONDS options
  shift
  options="${versions[$name]}, $("${compiler[@]}" -dumpmachine) $("${compiler[@]}" -dumpfullversion)"
  options+=", $flags, $*, $(cat scripts/onednn/* | sha256sum | cut -c1-16)"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$options" ]; then return; fi
  source_of "$name"
  if [ "$name" = onednn ] && [ ! -f "$work/pruned" ]; then
    scripts/onednn/prune.sh "$work/onednn"
    touch "$work/pruned"
  fi
  # Debian's patch asks CMake for spdlog even where oneDNN's logging is off and includes none of it:
  # an empty answer does.
  mkdir -p "$work/spdlog"
  : >"$work/spdlog/spdlogConfig.cmake"
  echo "Building $name ${versions[$name]}, once (log: ${work#"$PWD/"}/$name.log)"
  if ! {
    cmake -S "$work/$name" -B "$work/build-$name" -G Ninja -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_CXX_FLAGS_RELEASE="$flags" -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
      -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
      -Dspdlog_DIR="$work/spdlog" "${cross[@]}" "$@" &&
      cmake --build "$work/build-$name" && cmake --install "$work/build-$name"
  } >"$work/$name.log" 2>&1; then
    tail -40 "$work/$name.log" >&2
    exit 1
  fi
  echo "$options" >"$stamp"
  echo "$name built in $((SECONDS - start)) s" | tee "$prefix/$name.time"
}

header() {
  [ ! -f "$prefix/include/httplib.h" ] || return 0
  source_of cpp-httplib
  mkdir -p "$prefix/include"
  cp "$work/cpp-httplib/httplib.h" "$prefix/include/"
}

# Debian's own static libraries and headers for another processor, in a folder of ours.
sysroot() {
  local mirror packages="zlib1g-dev libpng-dev libjpeg62-turbo-dev libwebp-dev libgif-dev libmd-dev
    nlohmann-json3-dev libcli11-dev doctest-dev"
  [ ! -d "$prefix/sysroot" ] || return 0
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/packages"
  local release
  release=$(. /etc/os-release && echo "$VERSION_CODENAME")
  for mirror in $(mirrors); do
    echo "deb [arch=arm64 signed-by=$keyring] $mirror $release main" >"$work/sources.list"
    # shellcheck disable=SC2086 # packages are words
    if own_apt -o APT::Architecture=arm64 -o APT::Architectures=arm64 update &&
      (cd "$work/packages" &&
        own_apt -o APT::Architecture=arm64 -o APT::Architectures=arm64 download $packages); then
      for package in "$work/packages"/*.deb; do dpkg-deb -x "$package" "$work/sysroot"; done
      # Headers that differ between processors beside those that do not.
      cp -rn "$work/sysroot/usr/include/aarch64-linux-gnu/." "$work/sysroot/usr/include/"
      mv "$work/sysroot" "$prefix/sysroot"
      return
    fi
  done
  tail -20 "$work/apt.log" >&2
  echo "No mirror in this machine's apt settings gave $release's packages for arm64" >&2
  return 1
}

header
[ "$kind" != aarch64 ] || sysroot
if [ "$kind" != httplib ]; then
  build highway "${highway_options[@]}"
  build onednn "${onednn_options[@]}"
fi
rm -rf "$work" # sources and objects, a few hundred MB
