#!/bin/sh
# Runs bench/peers/driver.py with the Python that has the other frameworks: PEERS_PYTHON, or the
# environment that scripts/install_bench_peers.sh makes.
#
#   scripts/bench.sh [ROW ...]
set -u
cd "$(dirname "$0")/.." || exit 1
python="${PEERS_PYTHON:-build/peers-venv/bin/python}"
if ! "$python" -c "import numpy, torch, torchvision" 2>/dev/null; then
  echo "bench needs PyTorch, which makes the weights: run scripts/install_bench_peers.sh, or set" \
    "PEERS_PYTHON to a Python that has torch and torchvision" >&2
  exit 1
fi
exec "$python" bench/peers/driver.py "$@"
