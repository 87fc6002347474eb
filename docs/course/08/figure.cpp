// Two moons: where the decision is above 1, 0 and -1, and which points are support vectors.
#include "docs/course/svg.h"
#include "moons.h"
#include "smo.h"

using namespace limbic::course;

namespace {

std::string tint(double decision) {
  return decision > 1    ? "#a9cbe8"
         : decision > 0  ? "#d9e8f5"
         : decision > -1 ? "#fbe7d3"
                         : "#f3c495";
}

}  // namespace

int main() {
  const Moons moons = draw_moons(200, 1);
  const double gamma = 2;
  const Svm svm = solve(rbf_kernel(moons.points, moons.points, gamma), moons.labels, 10);
  Svg svg({680, 400});
  const Axes axes{{20, 40}, {640, 320}, {-1.6, -1.2}, {2.6, 1.6}};
  const int columns = 160, rows = 80;
  const double width = axes.size.x / columns, height = axes.size.y / rows;
  for (int row = 0; row < rows; ++row) {
    Array line({columns, 2});
    for (int64_t x = 0; x < columns; ++x) {
      line.at(x, 0) =
          axes.low.x + (static_cast<double>(x) + 0.5) / columns * (axes.high.x - axes.low.x);
      line.at(x, 1) = axes.high.y - (row + 0.5) / rows * (axes.high.y - axes.low.y);
    }
    const Array kernel = rbf_kernel(moons.points, line, gamma);
    for (int64_t x = 0; x < columns;) {  // neighbours of a tint are one box
      const int64_t begin = x;
      const std::string colour = tint(decision(svm, kernel, x));
      while (x < columns && tint(decision(svm, kernel, x)) == colour) ++x;
      svg.box({axes.corner.x + static_cast<double>(begin) * width, axes.corner.y + row * height},
              {static_cast<double>(x - begin) * width, height}, colour);
    }
  }
  for (size_t i = 0; i < svm.variables.size(); ++i) {
    const auto n = static_cast<int64_t>(i);
    const Variable& v = svm.variables[i];
    const Stroke edge = v.alpha > 0 ? Stroke{"#000", 2} : Stroke{"#fff", 0.5};
    svg.circle(axes.at(moons.points.at(n, 0), moons.points.at(n, 1)), v.alpha > 0 ? 5 : 3.5,
               v.y > 0 ? blue : orange, edge);
  }
  svg.text({20, 24}, "darker: the decision is above 1 or below -1; black rings: " +
                         std::to_string(support_vectors(svm)) + " support vectors of 200 points");
  svg.print();
}
