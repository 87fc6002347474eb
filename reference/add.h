#pragma once
#include "array.h"

namespace limbic::reference {

/// dst = a + b, equal shapes: the sum of a residual block. Its gradient is dy for both. Throws
/// std::invalid_argument where the shapes differ.
Array add(const Array& a, const Array& b);

struct AddGradients {
  Array a, b;
};
AddGradients add_backward(const Array& dy);

}  // namespace limbic::reference
