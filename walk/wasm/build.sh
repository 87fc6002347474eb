#!/bin/bash
# Compiles the plain twins to WebAssembly, for the pages of `limbic explain --walk`: writes OUT, by
# default walk/wasm/twins.wasm, which the repository keeps so that a build needs no Emscripten.
#
#   walk/wasm/build.sh [OUT]
set -eu
cd "$(dirname "$0")/../.."
out=${1:-walk/wasm/twins.wasm}
exports=_twin_list
for name in $(grep -o 'double\* twin_[a-z0-9_]*()' walk/wasm/twins.cpp | grep -o 'twin_[a-z0-9_]*'); do
  exports+=,_$name
done
em++ -std=c++20 -O2 -Wall -Wextra -Werror -Ireference walk/wasm/twins.cpp \
  reference/{array,batch_norm,conv2d,pool2d,sgd,softmax,winograd}.cpp \
  --no-entry -sSTANDALONE_WASM -sALLOW_MEMORY_GROWTH -sEXPORTED_FUNCTIONS=$exports -o "$out"
