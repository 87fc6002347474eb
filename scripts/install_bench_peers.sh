#!/bin/sh
# Installs the frameworks that `make bench` holds Limbic against into a Python environment of their
# own, some gigabytes. Arguments after the folder go to pip: with --extra-index-url the address of
# PyTorch's CPU builds saves most of the download.
#
#   scripts/install_bench_peers.sh [FOLDER [PIP_ARGUMENT ...]]     (default build/peers-venv)
set -eu
cd "$(dirname "$0")/.."
folder="${1:-build/peers-venv}"
[ $# -eq 0 ] || shift
python3 -m venv "$folder" || {
  echo "Python's venv is missing: apt-get install python3-venv" >&2
  exit 1
}
"$folder/bin/pip" install --quiet --upgrade "$@" \
  numpy pillow torch torchvision onnx onnxscript sympy onnxruntime openvino ncnn pnnx executorch efficientnet-lite-pytorch \
  scikit-learn scikit-learn-intelex
"$folder/bin/python" - <<'END'
import importlib.metadata
for name in ("torch", "torchvision", "onnx", "onnxruntime", "openvino", "ncnn", "executorch"):
    print(name, importlib.metadata.version(name))
END
