// The roofline of a core with 100 GFLOP/s and 20 GB/s, and where layers stand under it.
#include "docs/course/svg.h"

using namespace limbic::course;

namespace {

struct Layer {
  const char* name;
  double operations, bytes;
};

/// A convolution of 3x3 or 1x1: src, weights and dst once each.
Layer conv(const char* name, double in, double out, double pixels, double kernel) {
  const double weights = in * out * kernel;
  return {name, 2 * weights * pixels, 4 * (weights + (in + out) * pixels)};
}

}  // namespace

int main() {
  const double flops = 100, bytes = 20;  // thousand millions a second
  Svg svg({700, 360});
  const Axes axes{{70, 45}, {580, 250}, {-1, 0}, {3, 2.5}};
  axes.draw(svg, "operations a byte", "GFLOP/s");
  for (const double y : {1.0, 10.0, 100.0})
    axes.mark_y(svg, std::log10(y), std::to_string(static_cast<int>(y)));
  for (const auto& [x, words] : {std::pair{-1.0, "0.1"}, {0, "1"}, {1, "10"}, {2, "100"}})
    axes.mark_x(svg, x, words);
  const auto roof = [&](double intensity) {
    return std::log10(std::min(flops, bytes * intensity));
  };
  svg.line({axes.at(-1, roof(0.1)), axes.at(std::log10(flops / bytes), roof(flops / bytes)),
            axes.at(3, roof(1000))},
           {blue, 2.5});
  svg.text(axes.at(-0.95, 1.05), "20 GB/s", {.colour = blue});
  svg.text(axes.at(2.2, 2.1), "100 GFLOP/s", {.colour = blue});
  for (const Layer& layer : {Layer{"batch norm, relu", 3, 8},
                             {"linear 2048 -> 1000", 2, 4},
                             {"depthwise 3x3", 18, 8},
                             conv("1x1, 256 -> 64, 56x56", 256, 64, 56 * 56, 1),
                             conv("3x3, 64 -> 64, 56x56", 64, 64, 56 * 56, 9)}) {
    const double intensity = layer.operations / layer.bytes;
    const Point at = axes.at(std::log10(intensity), roof(intensity));
    svg.circle(at, 5, orange);
    const bool is_last = intensity > 100;  // to the left of it stands another name
    svg.text({at.x + 9, at.y + (is_last ? 34 : 16)}, layer.name, {.size = 12});
  }
  svg.print();
}
