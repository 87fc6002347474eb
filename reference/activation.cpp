#include "activation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace limbic::reference {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class F>
Array each(const Array& src, const F& value) {
  Array dst(src.shape);
  std::transform(src.values.begin(), src.values.end(), dst.values.begin(), value);
  return dst;
}

// dx = dy * derivative(src).
template <class F>
Array each_backward(const char* op, const Array& src, const Array& dy, const F& derivative) {
  require_shape(op, "dy", dy, src.shape);
  Array dx(src.shape);
  for (size_t i = 0; i < src.values.size(); ++i)
    dx.values[i] = dy.values[i] * derivative(src.values[i]);
  return dx;
}

double logistic(double x) { return 1 / (1 + std::exp(-x)); }
double normal_distribution(double x) { return (1 + std::erf(x / std::numbers::sqrt2)) / 2; }
double normal_density(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi); }

void require_range(double low, double high) {
  require(low < high, "clamp: from ", low, " to ", high, " lies nothing");
}

}  // namespace

Array clamp(const Array& src, double low, double high) {
  require_range(low, high);
  return each(src, [&](double x) { return x < low ? low : x > high ? high : x; });
}
Array clamp_backward(const Array& src, double low, double high, const Array& dy) {
  require_range(low, high);
  require_shape("clamp_backward", "dy", dy, src.shape);
  Array dx(src.shape);
  for (size_t i = 0; i < src.values.size(); ++i)
    dx.values[i] = src.values[i] <= low || src.values[i] >= high ? 0 : dy.values[i];
  return dx;
}

Array relu(const Array& src) { return clamp(src, 0, infinity); }
Array relu_backward(const Array& src, const Array& dy) {
  return clamp_backward(src, 0, infinity, dy);
}

Array silu(const Array& src) {
  return each(src, [](double x) { return x * logistic(x); });
}
Array silu_backward(const Array& src, const Array& dy) {
  return each_backward("silu_backward", src, dy,
                       [](double x) { return logistic(x) * (1 + x * (1 - logistic(x))); });
}

Array hard_swish(const Array& src) {
  return each(src, [](double x) { return x * std::min(std::max(x + 3, 0.0), 6.0) / 6; });
}
Array hard_swish_backward(const Array& src, const Array& dy) {
  return each_backward("hard_swish_backward", src, dy, [](double x) {
    return x <= -3 ? 0.0 : x >= 3 ? 1.0 : (2 * x + 3) / 6;
  });
}

Array gelu(const Array& src) {
  return each(src, [](double x) { return x * normal_distribution(x); });
}
Array gelu_backward(const Array& src, const Array& dy) {
  return each_backward("gelu_backward", src, dy,
                       [](double x) { return normal_distribution(x) + x * normal_density(x); });
}

Array sigmoid(const Array& src) { return each(src, logistic); }
Array sigmoid_backward(const Array& src, const Array& dy) {
  return each_backward("sigmoid_backward", src, dy,
                       [](double x) { return logistic(x) * (1 - logistic(x)); });
}

Array tanh(const Array& src) {
  return each(src, [](double x) { return std::tanh(x); });
}
Array tanh_backward(const Array& src, const Array& dy) {
  return each_backward("tanh_backward", src, dy,
                       [](double x) { return 1 - std::tanh(x) * std::tanh(x); });
}

Array leaky_relu(const Array& src, double slope) {
  return each(src, [&](double x) { return x > 0 ? x : slope * x; });
}
Array leaky_relu_backward(const Array& src, double slope, const Array& dy) {
  return each_backward("leaky_relu_backward", src, dy, [&](double x) { return x > 0 ? 1 : slope; });
}

}  // namespace limbic::reference
