#pragma once
#include "docs/course/check.h"

namespace limbic::course {

/// Exercise 1. The gradient of src behind dst = (src - mean) / sqrt(var + 1e-5) * weight + bias,
/// where mean and var (divisor n) are those of src, channel by channel. src and dy (N,C), weight
/// (C).
Array batch_norm_backward(const Array& src, const Array& weight, const Array& dy);

/// Exercise 2. A convolution without bias and the batch norm behind it are, once trained, a
/// convolution with a bias. conv_weight (O,C,k,k), all others (O); epsilon is 1e-5.
struct BatchNorm {
  Array mean, var, weight, bias;
};
struct Folded {
  Array weight, bias;
};
Folded fold(const Array& conv_weight, const BatchNorm& norm);

/// Exercise 3. dst = relu(src + conv2d(src, weight, no bias, padding 1)). The gradient of src.
/// src and dy (N,C,H,W), weight (C,C,3,3). Use
///   reference::conv2d(src, weight, {}, {.padding = 1})
///   reference::conv2d_backward(src, weight, {.padding = 1}, dy).src
Array residual_backward(const Array& src, const Array& weight, const Array& dy);

}  // namespace limbic::course
