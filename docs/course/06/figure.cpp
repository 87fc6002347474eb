// The loss as it falls, or not, with four learning rates.
#include "docs/course/svg.h"
#include "training.h"

using namespace limbic::course;

int main() {
  Svg svg({700, 330});
  const Axes axes{{70, 45}, {440, 220}, {0, -3}, {300, 1}};
  axes.draw(svg, "steps", "mean loss of 20 steps");
  for (const int power : {-3, -2, -1, 0, 1})
    axes.mark_y(svg, power, power < 0 ? "1e" + std::to_string(power) : power == 0 ? "1" : "10");
  for (const int step : {0, 100, 200, 300}) axes.mark_x(svg, step, std::to_string(step));
  struct Curve {
    const char* name;
    Training training;
    Stroke stroke;
    double label = 4;  // below the end of the curve
  };
  for (const Curve& c : {Curve{"rate 0.001", {.learning_rate = 0.001}, {grey, 2.5, "2 3"}, 14},
                         {"rate 0.01", {.learning_rate = 0.01}, {green, 2.5, "6 4"}},
                         {"rate 0.1", {.learning_rate = 0.1}, {blue, 2.5}},
                         {"rate 1", {.learning_rate = 1}, {orange, 2.5, "9 3 2 3"}, -6}}) {
    std::vector<Point> points;
    for (const double loss : train(c.training).training)
      points.push_back(axes.at(20.0 * static_cast<double>(points.size()) + 10,
                               std::clamp(std::log10(loss), -3.0, 1.0)));
    svg.line(points, c.stroke);
    svg.text({points.back().x + 18, points.back().y + c.label}, c.name,
             {.colour = c.stroke.colour});
  }
  svg.print();
}
