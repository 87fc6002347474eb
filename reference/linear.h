#pragma once
#include "array.h"

namespace limbic::reference {

/// dst(n,o) = bias(o) + sum_i weight(o,i) src(n,i).
/// src (N,I), weight (O,I), bias (O) or empty -> (N,O). Throws std::invalid_argument where shapes
/// do not fit.
Array linear(const Array& src, const Array& weight, const Array& bias);

/// dy (N,O): src(n,i) = sum_o weight(o,i) dy(n,o), weight(o,i) = sum_n src(n,i) dy(n,o),
/// bias(o) = sum_n dy(n,o).
Gradients linear_backward(const Array& src, const Array& weight, const Array& dy);

}  // namespace limbic::reference
