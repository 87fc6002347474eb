#include "local_response_norm.h"

#include <algorithm>
#include <cmath>

namespace limbic::reference {
namespace {

// body(j) for each channel that c's sum is over.
template <class Body>
void for_neighbours(const Array& src, const LocalResponseNormOptions& o, int64_t c,
                    const Body& body) {
  const int64_t last = std::min(src.shape[1] - 1, c + (o.size - 1) / 2);
  for (int64_t j = std::max<int64_t>(0, c - o.size / 2); j <= last; ++j) body(j);
}

double scale(const Array& src, const LocalResponseNormOptions& o, int64_t n, int64_t c, int64_t y,
             int64_t x) {
  double sum = 0;
  for_neighbours(src, o, c, [&](int64_t j) { sum += src.at(n, j, y, x) * src.at(n, j, y, x); });
  return o.k + o.alpha / static_cast<double>(o.size) * sum;
}

}  // namespace

Array local_response_norm(const Array& src, const LocalResponseNormOptions& o) {
  require_images("local_response_norm", src);
  Array dst(src.shape);
  for_each(src, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    dst.at(n, c, y, x) = src.at(n, c, y, x) * std::pow(scale(src, o, n, c, y, x), -o.beta);
  });
  return dst;
}

Array local_response_norm_backward(const Array& src, const LocalResponseNormOptions& o,
                                   const Array& dy) {
  require_images("local_response_norm_backward", src);
  require_shape("local_response_norm_backward", "dy", dy, src.shape);
  Array dx(src.shape);
  for_each(src, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    const double s = scale(src, o, n, c, y, x), d = dy.at(n, c, y, x);
    dx.at(n, c, y, x) += d * std::pow(s, -o.beta);
    for_neighbours(src, o, c, [&](int64_t j) {
      dx.at(n, j, y, x) -= 2 * o.alpha * o.beta / static_cast<double>(o.size) * src.at(n, j, y, x) *
                           d * src.at(n, c, y, x) * std::pow(s, -o.beta - 1);
    });
  });
  return dx;
}

}  // namespace limbic::reference
