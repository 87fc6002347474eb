#!/bin/bash
# Takes out of oneDNN's unpacked source what none of Limbic's calls reaches, so that the library of
# `make static` is built in less time and takes less room. Of the version that build_libraries.sh asks
# for: where a file is missing that should be there, it is another.
#
#   scripts/onednn/prune.sh SOURCE
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$1/src/cpu"

# Primitives that are not built: their sources compile to what nobody calls.
rm rnn/*.cpp x64/{rnn,lrn,prelu,shuffle}/*.cpp
rm nchw_pooling.cpp nhwc_pooling.cpp ncsp_*.cpp nspc_*.cpp simple_{concat,sum}.cpp \
  simple_{layer_normalization,resampling}.cpp
for name in batch_normalization binary deconvolution eltwise group_normalization layer_normalization \
  lrn pooling prelu reduction resampling shuffle softmax; do
  rm "ref_$name.cpp"
done
rm x64/*deconv*.cpp x64/*pooling*.cpp x64/jit_uni_pool_kernel.cpp x64/*_normalization*.cpp \
  x64/jit_uni_softmax.cpp x64/*resampling*.cpp x64/jit_uni_reduction*.cpp \
  x64/jit_uni_binary*.cpp x64/jit_uni_eltwise.cpp x64/jit_uni_eltwise_int.cpp x64/jit_uni_xf16_sum.cpp

# Reorders: a list of our own.
rm reorder/cpu_reorder_regular_*.cpp reorder/cpu_reorder_comp_*.cpp
cp "$here/cpu_reorder.cpp" reorder/cpu_reorder.cpp

# Types that Limbic does not compute with: f16 and f8 everywhere, s32 as a result, gradients of int8,
# linear layers in int8. An entry of a list begins with "{{kind, types}, {" and ends with "}},".
drop() {
  local file=$1 pattern=$2
  awk -v pattern="$pattern" '
    /^        {{[a-z_]+, / { skip = $0 ~ pattern }
    !skip
    skip && /^        }\)?},/ { skip = 0; dropped++ }
    END { if (!dropped) exit 1 }' "$file" >"$file.new" || {
    echo "prune.sh: $file is not as expected; is this the version of oneDNN that it is for?" >&2
    exit 1
  }
  mv "$file.new" "$file"
}
drop cpu_convolution_list.cpp '[ ,]f16[,}]|{{forward, [su]8, s8, s32}|{{backward_data, [a-z0-9]+, s8, '
sed -i "/^ *BRGEMM_FP8_[A-Z_]*CONVS(/d" cpu_convolution_list.cpp
drop cpu_inner_product_list.cpp '[ ,]f16[,}]|, s8, |{{forward, f32, bf16, f32}'

# Matrix products of 8-bit integers: the last resort of convolutions that no generated kernel takes, which
# the plain loop is as well. 5 MB.
sed -i '/gemm_x8s8s32x_convolution_fwd_t/d' cpu_convolution_list.cpp
rm x64/gemm/s8x8s32/*_autogen.cpp

# What runs in every call is compiled for speed; what makes code, once a layer, for size.
cat >>x64/CMakeLists.txt <<'END'
file(GLOB hot ${CMAKE_CURRENT_SOURCE_DIR}/*convolution.cpp ${CMAKE_CURRENT_SOURCE_DIR}/jit_brgemm_conv*.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/jit_brgemm_1x1_conv.cpp ${CMAKE_CURRENT_SOURCE_DIR}/jit_brdgmm_dw_conv.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/jit_brgemm_inner_product*.cpp ${CMAKE_CURRENT_SOURCE_DIR}/jit_uni_reorder.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/gemm/*driver.cpp ${CMAKE_CURRENT_SOURCE_DIR}/gemm/f32/jit_avx*_gemm_f32.cpp)
set_source_files_properties(${hot} PROPERTIES COMPILE_OPTIONS -O2)
END
cat >>../common/CMakeLists.txt <<'END'
target_compile_options(${OBJ_LIB} PRIVATE -O2)
END
