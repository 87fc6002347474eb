#pragma once
#include <functional>

#include "docs/course/check.h"

namespace limbic::course {

/// Exercise 1. The gradient of src, where dst = max(src, 0) element by element and dy is the
/// gradient of dst. At 0 take 0.
Array relu_backward(const Array& src, const Array& dy);

/// Exercise 2. hidden = src W1', active = max(hidden, 0), dst = active W2'; without biases.
/// src (N,I), weight1 (H,I), weight2 (O,H), dst and its gradient dy (N,O). You have
///   reference::linear(x, weight, {})            x (N,I), weight (O,I) -> (N,O)
///   reference::linear_backward(x, weight, dy)   .src and .weight are the gradients
/// and your relu_backward.
struct TwoLayers {
  Array src, weight1, weight2;  ///< The gradients of these.
};
TwoLayers two_layers_backward(const Array& src, const Array& weight1, const Array& weight2,
                              const Array& dy);

/// Exercise 3. The gradient of f at x by central differences: of each element,
/// (f(x + h) - f(x - h)) / (2 h), where h is added to this element alone.
Array numerical_gradient(const std::function<double(const Array&)>& f, const Array& x, double h);

}  // namespace limbic::course
