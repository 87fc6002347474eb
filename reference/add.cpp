#include "add.h"

namespace limbic::reference {

Array add(const Array& a, const Array& b) {
  require_shape("add", "b", b, a.shape);
  Array dst(a.shape);
  for (size_t i = 0; i < dst.values.size(); ++i) dst.values[i] = a.values[i] + b.values[i];
  return dst;
}

AddGradients add_backward(const Array& dy) { return {dy, dy}; }

}  // namespace limbic::reference
