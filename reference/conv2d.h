#pragma once
#include "array.h"

namespace limbic::reference {

struct Conv2dOptions {
  Size2 stride = 1;
  Padding padding = 0;
  /// Keras' "same", in place of `padding`: OH = ceil(H / sh); what is lacking for it is added on
  /// both sides, the odd row or column below or on the right.
  bool same_padding = false;
  Size2 dilation = 1;
  int64_t groups = 1;
};

/// 2-D convolution (cross-correlation). Output channel o sees the input channels of its group:
///   dst(n,o,y,x) = bias(o) + sum_{i,u,v} weight(o,i,u,v) src(n, first(o) + i, y*sh - top + u*dh,
///                                                            x*sw - left + v*dw)
/// where first(o) = floor(o groups / O) C / groups, and src is 0 outside the picture.
/// src (N,C,H,W), weight (O,C/groups,kh,kw), bias (O) or empty -> (N,O,OH,OW),
/// OH = floor((H + top + bottom - dh (kh-1) - 1) / sh) + 1. Throws std::invalid_argument where
/// shapes or options do not fit.
Array conv2d(const Array& src, const Array& weight, const Array& bias, const Conv2dOptions& o);

/// dy (N,O,OH,OW), the gradient of conv2d's dst. Each product weight * src of the sum gives
/// weight * dy to src and src * dy to weight; bias takes the sum of its channel's dy.
Gradients conv2d_backward(const Array& src, const Array& weight, const Conv2dOptions& o,
                          const Array& dy);

}  // namespace limbic::reference
