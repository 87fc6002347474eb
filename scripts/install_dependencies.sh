#!/bin/sh
# Installs what Limbic needs from Debian's packages (Debian 12 or later; Ubuntu's names are the
# same). Does nothing where all of it is there. Needs root or sudo only where something is missing.
#
#   scripts/install_dependencies.sh           what a build needs
#   scripts/install_dependencies.sh check     clang and its tools too
#   scripts/install_dependencies.sh static    as for a build, which unpacks a source package too
#   scripts/install_dependencies.sh openmpi   or mpich: what `make mpi` needs too
#   scripts/install_dependencies.sh goldens   what the golden files are made with
#   scripts/install_dependencies.sh conformance   what `make conformance` compares with
set -eu

packages="g++ cmake ninja-build make pkg-config
  libdnnl-dev libhwy-dev libmd-dev zlib1g-dev libjpeg-dev
  libpng-dev libwebp-dev libgif-dev doctest-dev libcli11-dev nlohmann-json3-dev
  dpkg-dev debian-archive-keyring"
case "${1:-build}" in
  build) ;;
  check) packages="$packages clang clang-format libclang-rt-dev" ;;
  static) ;;
  openmpi) packages="$packages openmpi-bin libopenmpi-dev" ;;
  mpich) packages="$packages mpich libmpich-dev" ;;
  goldens) packages="$packages python3-torch python3-torchvision python3-sklearn python3-pil
    libsvm-tools" ;;
  conformance) packages="$packages python3-torch python3-numpy python3-venv" ;;
  *) echo "usage: $0 [build|check|static|openmpi|mpich|goldens|conformance]" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1; then
  echo "This system has no dpkg. Install by hand: $packages" >&2
  exit 1
fi

missing=""
for package in $packages; do
  # Debian 12 names clang's runtime by its version.
  [ "$package" = libclang-rt-dev ] && ! apt-cache show "$package" >/dev/null 2>&1 &&
    package=libclang-rt-14-dev
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
    missing="$missing $package"
done
[ -z "$missing" ] && exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 || {
    echo "Missing packages:$missing" >&2
    echo "Run as root: apt-get install$missing" >&2
    exit 1
  }
  as_root=sudo
fi
echo "Installing:$missing"
# Another apt may be at work: wait for it.
wait="-o DPkg::Lock::Timeout=600"
$as_root apt-get $wait update -qq
$as_root env DEBIAN_FRONTEND=noninteractive apt-get $wait install -y -qq --no-install-recommends $missing
