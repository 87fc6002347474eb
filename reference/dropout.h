#pragma once
#include "array.h"

namespace limbic::reference {

/// Inverted dropout of training: dst = src mask / (1 - probability). The mask, of src's shape, is
/// drawn by the caller: 0 with the given probability, else 1. In inference there is no dropout.
/// Throws std::invalid_argument where shapes differ or probability is not in [0,1).
Array dropout(const Array& src, const Array& mask, double probability);

/// The gradient of src: dy mask / (1 - probability).
Array dropout_backward(const Array& mask, double probability, const Array& dy);

}  // namespace limbic::reference
