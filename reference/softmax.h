#pragma once
#include "array.h"

namespace limbic::reference {

/// dst(n,c) = exp(src(n,c) - max_n) / sum_k exp(src(n,k) - max_n); the largest is subtracted so
/// that nothing overflows. (N,C) -> (N,C). Throws std::invalid_argument for another rank.
Array softmax(const Array& src);

/// src(n,c) = y(n,c) (dy(n,c) - sum_k dy(n,k) y(n,k)), where y is softmax(src).
Array softmax_backward(const Array& src, const Array& dy);

}  // namespace limbic::reference
