#pragma once
// reference: every op of Limbic, forward and backward, as the plainest loops in f64 that say what
// it means, on the C++20 standard library alone. To be read first; nn/ops is tested against it.
#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace limbic::reference {

using Shape = std::vector<int64_t>;

/// Number of elements; throws std::invalid_argument on a negative dimension or overflow.
int64_t count(const Shape& shape);

/// What messages are made of; a shape is written "(8,64,56,56)".
inline std::string text(const char* words) { return words; }
template <class Number>
requires std::is_arithmetic_v<Number> std::string text(Number number) {
  return std::to_string(number);
}
std::string text(const Shape& shape);

/// Throws std::invalid_argument, one line of the joined arguments, unless `ok`.
template <class... Args>
void require(bool ok, const Args&... args) {
  if (!ok) throw std::invalid_argument((text(args) + ...));
}

/// A dense row-major array of doubles. Pictures and feature maps are (N,C,H,W); (N,C) is read as
/// (N,C,1,1), and at(n, c) is its element.
struct Array {
  Shape shape;
  std::vector<double> values;

  Array() = default;  ///< Holds nothing: a bias that is not there.
  /// Zero-filled.
  explicit Array(Shape s) : shape(std::move(s)), values(static_cast<size_t>(count(shape))) {}

  bool empty() const { return values.empty(); }
  int64_t height() const { return shape.size() == 4 ? shape[2] : 1; }
  int64_t width() const { return shape.size() == 4 ? shape[3] : 1; }
  size_t index(int64_t n, int64_t c, int64_t y = 0, int64_t x = 0) const {
    return static_cast<size_t>(((n * shape[1] + c) * height() + y) * width() + x);
  }
  double& at(int64_t n, int64_t c, int64_t y = 0, int64_t x = 0) {
    return values[index(n, c, y, x)];
  }
  double at(int64_t n, int64_t c, int64_t y = 0, int64_t x = 0) const {
    return values[index(n, c, y, x)];
  }
  double& operator[](int64_t i) { return values[static_cast<size_t>(i)]; }
  double operator[](int64_t i) const { return values[static_cast<size_t>(i)]; }
};

/// Throws std::invalid_argument, naming `op`, unless src is (N,C,H,W).
void require_images(const char* op, const Array& src);
/// Throws std::invalid_argument, naming `op`, unless src is (N,C) or (N,C,H,W).
void require_channels(const char* op, const Array& src);
/// Throws std::invalid_argument, naming `op` and `what`, unless `array` has this shape.
void require_shape(const char* op, const char* what, const Array& array, const Shape& shape);

/// body(n, c, y, x) for each element, in order.
template <class Body>
void for_each(const Array& a, const Body& body) {
  for (int64_t n = 0; n < a.shape[0]; ++n)
    for (int64_t c = 0; c < a.shape[1]; ++c)
      for (int64_t y = 0; y < a.height(); ++y)
        for (int64_t x = 0; x < a.width(); ++x) body(n, c, y, x);
}

/// Height and width; from one number, both.
struct Size2 {
  int64_t h = 1, w = 1;
  constexpr Size2(int64_t both) : h(both), w(both) {}
  constexpr Size2(int64_t height, int64_t width) : h(height), w(width) {}
};

/// Pixels added on each side; from one number, on all.
struct Padding {
  int64_t top = 0, left = 0, bottom = 0, right = 0;
  constexpr Padding(int64_t all) : top(all), left(all), bottom(all), right(all) {}
  constexpr Padding(int64_t t, int64_t l, int64_t b, int64_t r)
      : top(t), left(l), bottom(b), right(r) {}
};

/// Of a layer with weights: the loss's derivatives with respect to what they are named after, each
/// of that shape.
struct Gradients {
  Array src, weight, bias;
};

}  // namespace limbic::reference
