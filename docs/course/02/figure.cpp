// A digit and what three kernels make of it.
#include "docs/course/svg.h"
#include "reference/conv2d.h"
#include "reference/glyphs.h"

using namespace limbic::course;
using namespace limbic::reference;

namespace {

struct Kernel {
  const char* name;
  std::vector<double> weights;  // 3x3
};

}  // namespace

int main() {
  Random random(4);
  const Array digit = draw_glyphs(1, random).images;
  Svg svg({760, 300});
  svg.text({20, 24}, "src");
  svg.picture({20, 100}, digit, 6);
  double left = 210;
  for (const Kernel& kernel : {Kernel{"mean", std::vector<double>(9, 1.0 / 9)},
                               {"upright edges", {-1, 0, 1, -1, 0, 1, -1, 0, 1}},
                               {"lying edges", {-1, -1, -1, 0, 0, 0, 1, 1, 1}}}) {
    Array weight({1, 1, 3, 3});
    weight.values = kernel.weights;
    svg.text({left, 24}, kernel.name);
    for (int64_t i = 0; i < 9; ++i)
      svg.text(
          {left + 40 + 36.0 * static_cast<double>(i % 3), 44 + 20.0 * static_cast<double>(i / 3)},
          Svg::number(weight[i]), {.anchor = "end"});
    const bool is_mean = weight[0] > 0;
    svg.picture({left, 100}, conv2d(digit, weight, {}, {.padding = 1}), 6, is_mean ? 0 : -3,
                is_mean ? 1 : 3);
    left += 185;
  }
  svg.text({210, 290}, "edges: white is -3 (dark to the left or above), black 3, grey nothing",
           {.colour = grey});
  svg.print();
}
