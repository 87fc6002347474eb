// How large the gradients are from the last block back to the first.
#include "deep.h"
#include "docs/course/svg.h"

using namespace limbic::course;

int main() {
  Svg svg({640, 330});
  const Axes axes{{70, 45}, {520, 220}, {0, -8}, {Deep::blocks, 2}};
  axes.draw(svg, "blocks behind the first layer", "size of the gradient");
  for (const int power : {-8, -6, -4, -2, 0, 2})
    axes.mark_y(svg, power, power == 0 ? "1" : power == 2 ? "100" : "1e" + std::to_string(power));
  for (const int block : {0, 5, 10, 15}) axes.mark_x(svg, block, std::to_string(block));
  struct Curve {
    const char* name;
    Kind kind;
    Stroke stroke;
  };
  for (const Curve& c : {Curve{"plain", Kind::plain, {orange, 2.5, "6 4"}},
                         {"batch norm", Kind::batch_norm, {green, 2.5, "2 3"}},
                         {"batch norm, residual", Kind::residual, {blue, 2.5}}}) {
    std::vector<Point> points;
    for (const double g : sizes(c.kind).gradients)
      points.push_back(axes.at(static_cast<double>(points.size()), std::log10(g)));
    svg.line(points, c.stroke);
    svg.text({points[4].x, points[4].y - 12}, c.name, {.colour = c.stroke.colour});
  }
  svg.print();
}
