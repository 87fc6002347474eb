#include "../exercise.h"

#include <algorithm>

#include "reference/linear.h"

namespace limbic::course {

Array relu_backward(const Array& src, const Array& dy) {
  Array dx(src.shape);
  for (int64_t i = 0; i < std::ssize(dx.values); ++i) dx[i] = src[i] > 0 ? dy[i] : 0;
  return dx;
}

TwoLayers two_layers_backward(const Array& src, const Array& weight1, const Array& weight2,
                              const Array& dy) {
  const Array hidden = reference::linear(src, weight1, {});
  Array active = hidden;
  for (double& x : active.values) x = std::max(x, 0.0);
  const auto second = reference::linear_backward(active, weight2, dy);
  const auto first = reference::linear_backward(src, weight1, relu_backward(hidden, second.src));
  return {first.src, first.weight, second.weight};
}

Array numerical_gradient(const std::function<double(const Array&)>& f, const Array& x, double h) {
  Array gradient(x.shape), moved = x;
  for (int64_t i = 0; i < std::ssize(x.values); ++i) {
    moved[i] = x[i] + h;
    const double above = f(moved);
    moved[i] = x[i] - h;
    const double below = f(moved);
    moved[i] = x[i];
    gradient[i] = (above - below) / (2 * h);
  }
  return gradient;
}

}  // namespace limbic::course
