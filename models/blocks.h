#pragma once
#include "limbic/models/families.h"

namespace limbic::models {

/// relu(F(x) + shortcut(x)), F two 3x3 convolutions of `width` channels, the first with the stride
/// (He et al. 2015, figure 5 left); with `average` a shortcut that changes shape averages first.
/// (N,C,H,W) -> (N,width,H/stride,W/stride).
Value basic_block(const Scope& s, Value x, int64_t width, int64_t stride, bool average = false);

/// The same with 1x1, 3x3 (which has the stride) and 1x1 convolutions; 4 * width channels leave it
/// (figure 5 right). The 3x3 has `groups`, each of group_width / 64 times the width.
Value bottleneck(const Scope& s, Value x, int64_t width, int64_t stride, int64_t groups = 1,
                 int64_t group_width = 64, bool average = false);

/// `layers` dense layers, each reading all that came before it; growth_rate channels are added by
/// each (Huang et al. 2017, section 3). (N,C,H,W) -> (N,C + layers * growth_rate,H,W).
Value dense_block(const Scope& s, Value x, int64_t layers, const DenseNetOptions& options);

}  // namespace limbic::models
