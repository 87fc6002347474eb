#include "dropout.h"

namespace limbic::reference {

Array dropout(const Array& src, const Array& mask, double probability) {
  require_shape("dropout", "mask", mask, src.shape);
  require(probability >= 0 && probability < 1, "dropout: probability must be in [0,1), got ",
          probability);
  Array dst(src.shape);
  for (size_t i = 0; i < dst.values.size(); ++i)
    dst.values[i] = src.values[i] * mask.values[i] / (1 - probability);
  return dst;
}

// Linear in src, and dy meets the same factors.
Array dropout_backward(const Array& mask, double probability, const Array& dy) {
  return dropout(dy, mask, probability);
}

}  // namespace limbic::reference
