// The lesson's graph, with values from left to right and gradients from right to left.
#include "docs/course/svg.h"
#include "example.h"

using namespace limbic::course;

int main() {
  const Example e;
  Svg svg({720, 340});
  const double radius = 26;
  const auto node = [&](Point at, const char* name, Graph::Value v) {
    svg.circle(at, radius, "#f4f4f4", {grey, 1.5});
    svg.text({at.x, at.y + 5}, name, {.size = 15, .anchor = "middle"});
    svg.text({at.x, at.y - 32}, Svg::number(e.graph.value(v)[0]),
             {.anchor = "middle", .colour = blue});
    svg.text({at.x, at.y + 44}, Svg::number(e.graph.gradient(v)[0]),
             {.anchor = "middle", .colour = orange});
  };
  const auto edge = [&](Point from, Point to) {
    const double length = std::hypot(to.x - from.x, to.y - from.y);
    const double x = (to.x - from.x) / length * radius, y = (to.y - from.y) / length * radius;
    svg.arrow({from.x + x, from.y + y}, {to.x - x, to.y - y}, {grey, 1.5});
  };
  const Point w{70, 50}, x{70, 165}, b{70, 280}, h{270, 90}, s{450, 165}, y{620, 165};
  for (const auto& [from, to] : {std::pair{w, h}, {x, h}, {b, h}, {h, s}, {x, s}, {s, y}})
    edge(from, to);
  node(w, "w", e.w), node(x, "x", e.x), node(b, "b", e.b);
  node(h, "h", e.h), node(s, "s", e.s), node(y, "y", e.y);
  svg.text({300, 290}, "h = w x + b,   s = h + x,   y = relu(s)");
  svg.text({300, 312}, "blue: values, forward", {.colour = blue});
  svg.text({450, 312}, "orange: dy/d..., backward", {.colour = orange});
  svg.print();
}
