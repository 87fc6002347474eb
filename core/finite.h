#pragma once
#include <span>

#include "limbic/core/tensor.h"

namespace limbic {

/// Whether a tensor holds neither NaN nor infinity; of integers, none do.
bool all_finite(const Tensor& tensor);
bool all_finite(std::span<const float> values);

}  // namespace limbic
