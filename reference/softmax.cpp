#include "softmax.h"

#include <algorithm>
#include <cmath>

namespace limbic::reference {

Array softmax(const Array& src) {
  require(src.shape.size() == 2, "softmax: expected src (N,C), got ", src.shape);
  Array dst(src.shape);
  for (int64_t n = 0; n < src.shape[0]; ++n) {
    double largest = -HUGE_VAL, sum = 0;
    for (int64_t c = 0; c < src.shape[1]; ++c) largest = std::max(largest, src.at(n, c));
    for (int64_t c = 0; c < src.shape[1]; ++c)
      sum += dst.at(n, c) = std::exp(src.at(n, c) - largest);
    for (int64_t c = 0; c < src.shape[1]; ++c) dst.at(n, c) /= sum;
  }
  return dst;
}

Array softmax_backward(const Array& src, const Array& dy) {
  require_shape("softmax_backward", "dy", dy, src.shape);
  const Array y = softmax(src);
  Array dx(src.shape);
  for (int64_t n = 0; n < src.shape[0]; ++n) {
    double dot = 0;
    for (int64_t c = 0; c < src.shape[1]; ++c) dot += dy.at(n, c) * y.at(n, c);
    for (int64_t c = 0; c < src.shape[1]; ++c) dx.at(n, c) = y.at(n, c) * (dy.at(n, c) - dot);
  }
  return dx;
}

}  // namespace limbic::reference
