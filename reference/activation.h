#pragma once
#include "array.h"

// Functions of each element: any shape -> the same. Each backward takes src and dy, the gradient of
// dst, and gives the gradient of src: dy times the derivative. NaN gives NaN. All throw
// std::invalid_argument where dy has another shape than src.
namespace limbic::reference {

/// dst = min(max(src, low), high): ReLU is clamp(src, 0, infinity), ReLU6 clamp(src, 0, 6). Throws
/// std::invalid_argument unless low < high.
Array clamp(const Array& src, double low, double high);
/// The derivative is 1 where low < src < high and 0 elsewhere, at low and at high, too; where src
/// is NaN it is 1.
Array clamp_backward(const Array& src, double low, double high, const Array& dy);

Array relu(const Array& src);
Array relu_backward(const Array& src, const Array& dy);

/// dst = src s, s = 1 / (1 + exp(-src)) (Elfwing et al. 2017, arXiv:1702.03118; also "swish").
Array silu(const Array& src);
/// The derivative is s (1 + src (1 - s)).
Array silu_backward(const Array& src, const Array& dy);

/// dst = src min(max(src + 3, 0), 6) / 6 (Howard et al. 2019, arXiv:1905.02244).
Array hard_swish(const Array& src);
/// The derivative is 0 up to -3, 1 from 3 on, and (2 src + 3) / 6 between.
Array hard_swish_backward(const Array& src, const Array& dy);

/// dst = src P, P = (1 + erf(src / sqrt(2))) / 2, the normal distribution up to src (Hendrycks and
/// Gimpel 2016, arXiv:1606.08415).
Array gelu(const Array& src);
/// The derivative is P + src exp(-src^2 / 2) / sqrt(2 pi).
Array gelu_backward(const Array& src, const Array& dy);

/// dst = s = 1 / (1 + exp(-src)); the derivative is s (1 - s).
Array sigmoid(const Array& src);
Array sigmoid_backward(const Array& src, const Array& dy);

/// The derivative is 1 - tanh(src)^2.
Array tanh(const Array& src);
Array tanh_backward(const Array& src, const Array& dy);

/// dst = src where src > 0, else slope src (Maas et al. 2013); the derivative at 0 is the slope.
Array leaky_relu(const Array& src, double slope);
Array leaky_relu_backward(const Array& src, double slope, const Array& dy);

}  // namespace limbic::reference
