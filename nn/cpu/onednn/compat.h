#pragma once
// nn/cpu/onednn: the only place that includes dnnl.hpp. What differs between oneDNN 2.x and 3.x is
// hidden here, behind functions shaped like the 3.x API; nowhere else is there an #if on a version.
#include <cstdint>
#include <initializer_list>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <utility>

#include "limbic/core/tensor.h"

namespace limbic::onednn {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;

/// The one CPU engine, and this thread's stream on it.
const dnnl::engine& engine();
dnnl::stream& stream();

/// The version at run time, "2.6.3".
std::string version();
/// The newest instructions known here that its kernels use on this processor, "avx2".
std::string kernels();
/// Of the processor, as far as ONEDNN_MAX_CPU_ISA lets oneDNN use them: multiplies pairs of bf16
/// (AVX512_BF16; without it bf16 would be slower than f32), quadruples of 8-bit integers
/// (AVX512_VNNI).
bool has_bf16_instructions();
bool has_int8_instructions();

/// Dense descriptors: activations are channels last (N,H,W,C in memory, N,C,H,W in dims);
/// parameters are canonical, in the order of their dims.
Desc channels_last(const Shape& shape, DType dtype = DType::f32);
Desc canonical(const Shape& shape, DType dtype = DType::f32);
/// The canonical f32 layout of the same dimensions.
Desc canonical_like(const Desc& desc);
/// Lets a primitive choose the layout.
Desc any_layout(const Shape& shape, DType dtype = DType::f32);
/// A convolution's weight (O,I,H,W), in memory (H,W,I,O).
Desc hwio(const Shape& shape);
/// A flat array of `count` floats, and of raw bytes.
Desc flat(int64_t count);
Desc bytes(int64_t size);

bool is_signed_8_bit(const Desc& desc);

/// Empties oneDNN's cache of primitives, which would keep up to 1,024 of them for shapes that
/// nobody computes any more. Those that kernels hold stay.
void forget_primitives();

/// Primitives made so far in this process: a run after the first must leave it as it was.
int64_t primitives_created();

struct ConvolutionShape {
  Desc src, weights, dst;
  Desc diff_weights;  ///< f32 whatever the dtype of the weights.
  Desc bias;          ///< Zero descriptor: no bias.
  Dims strides, dilates, padding_begin, padding_end;
};

/// Post-ops of an inference convolution, in this order.
struct PostOps {
  /// Multiply output channel o by element o of an f32 (1,C,1,1), the argument
  /// DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1; 0: no.
  int64_t multiply_channels = 0;
  bool sum = false;  ///< Add sum_scale times what lies in dst, read as sum_dtype.
  bool relu = false;
  float sum_scale = 1;
  DType sum_dtype = DType::f32;  ///< f32: dst's own.
};

dnnl::convolution_forward::primitive_desc convolution_forward(const ConvolutionShape& shape,
                                                              bool training, PostOps post_ops);
dnnl::convolution_backward_data::primitive_desc convolution_backward_data(
    const ConvolutionShape& shape, const dnnl::convolution_forward::primitive_desc& forward);
dnnl::convolution_backward_weights::primitive_desc convolution_backward_weights(
    const ConvolutionShape& shape, const dnnl::convolution_forward::primitive_desc& forward);

/// dst (N,O) = src (N,I) weights^T + bias; the zero descriptor as `bias` is none.
struct LinearShape {
  Desc src, weights, bias, dst;
};
dnnl::inner_product_forward::primitive_desc linear_forward(const LinearShape& shape, bool training);
dnnl::inner_product_backward_data::primitive_desc linear_backward_data(
    const LinearShape& shape, const dnnl::inner_product_forward::primitive_desc& forward);
dnnl::inner_product_backward_weights::primitive_desc linear_backward_weights(
    const LinearShape& shape, const dnnl::inner_product_forward::primitive_desc& forward);

/// Makes the primitive and counts it.
dnnl::primitive make(const dnnl::primitive_desc_base& desc);
dnnl::primitive make_reorder(const Desc& from, const Desc& to);

using Argument = std::pair<int, const dnnl::memory*>;
/// Runs a primitive on this thread's stream without an allocation of ours.
void execute(const dnnl::primitive& primitive, std::initializer_list<Argument> arguments);

/// Runs a reorder, timed: reorders should be a few per cent of a run.
void execute_reorder(const dnnl::primitive& reorder, const dnnl::memory& from,
                     const dnnl::memory& to);
/// Seconds spent in execute_reorder in this process.
double reorder_seconds();

/// Copies between layouts once (packing and unpacking of weights; never in a run).
void reorder_once(const Desc& from, const void* src, const Desc& to, void* dst);

}  // namespace limbic::onednn
