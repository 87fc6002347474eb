// A convolution by hand, its gradient, and three kernels on a digit.
#include <algorithm>
#include <cstdio>

#include "reference/conv2d.h"
#include "reference/glyphs.h"

using namespace limbic::reference;

namespace {

Array array(Shape shape, std::vector<double> values) {
  Array out(std::move(shape));
  out.values = std::move(values);
  return out;
}

void print(const char* title, const Array& a) {
  std::printf("%s %s:", title, text(a.shape).c_str());
  for (const double value : a.values) std::printf(" %g", value);
  std::printf("\n");
}

/// Where the largest value lies.
void print_largest(const char* title, const Array& a) {
  const auto largest = std::max_element(a.values.begin(), a.values.end());
  const int64_t index = largest - a.values.begin();
  std::printf("%s: largest %.2f at row %d, column %d\n", title, *largest,
              static_cast<int>(index / a.width()), static_cast<int>(index % a.width()));
}

}  // namespace

int main() {
  const Array src = array({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  const Array weight = array({1, 1, 2, 2}, {1, 0, 0, 2});
  print("dst", conv2d(src, weight, {}, {}));
  print("dst, padding 1, stride 2", conv2d(src, weight, {}, {.stride = 2, .padding = 1}));
  const Gradients d = conv2d_backward(src, weight, {}, array({1, 1, 2, 2}, {1, 0, 0, 10}));
  print("gradient of src", d.src);
  print("gradient of weight", d.weight);
  print("gradient of bias", d.bias);

  // A stroke of three pixels in the middle of a kernel, paper beside it.
  Random random(4);
  const Array digit = draw_glyphs(1, random).images;
  const double p = 1.0 / 15, m = -1.0 / 10;
  const Array upright = array(
      {1, 1, 5, 5}, {m, p, p, p, m, m, p, p, p, m, m, p, p, p, m, m, p, p, p, m, m, p, p, p, m});
  const Array lying = array(
      {1, 1, 5, 5}, {m, m, m, m, m, p, p, p, p, p, p, p, p, p, p, p, p, p, p, p, m, m, m, m, m});
  std::printf("\n");
  print_largest("upright strokes of a 7", conv2d(digit, upright, {}, {.padding = 2}));
  print_largest("lying strokes of a 7", conv2d(digit, lying, {}, {.padding = 2}));

  // The digit moved down by 3: so is the answer.
  Array moved(digit.shape);
  for (int64_t y = 3; y < 28; ++y)
    for (int64_t x = 0; x < 28; ++x) moved.at(0, 0, y, x) = digit.at(0, 0, y - 3, x);
  print_largest("lying strokes of the 7 moved down by 3", conv2d(moved, lying, {}, {.padding = 2}));

  const Shape layer = {64, 3, 7, 7};
  std::printf(
      "\nResNet's first layer, weight %s: %d weights, %.0f million multiplications; a matrix "
      "for all pairs of its pixels would have %.1f thousand million weights\n",
      text(layer).c_str(), static_cast<int>(count(layer)),
      static_cast<double>(count(layer)) * 112 * 112 / 1e6, 3.0 * 224 * 224 * 64 * 112 * 112 / 1e9);
}
