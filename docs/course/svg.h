#pragma once
// Just enough SVG for the figures of the lessons.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "reference/array.h"

namespace limbic::course {

struct Point {
  double x, y;
};

struct Words {
  double size = 13;
  const char* anchor = "start";  ///< Or "middle", "end".
  const char* colour = "#222";
};

struct Stroke {
  const char* colour = "#222";
  double width = 1.5;
  const char* dashes = "";  ///< As "4 3".
};

constexpr const char *blue = "#1f6fb4", *orange = "#d9730d", *green = "#2f8f4e", *grey = "#999";

class Svg {
 public:
  /// A white sheet.
  explicit Svg(Point size) {
    add("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + number(size.x) + "\" height=\"" +
        number(size.y) + "\" font-family=\"sans-serif\">");
    box({0, 0}, size, "#fff");
  }

  void box(Point corner, Point size, const std::string& fill, const Stroke& edge = {"none", 0}) {
    add("<rect x=\"" + number(corner.x) + "\" y=\"" + number(corner.y) + "\" width=\"" +
        number(size.x) + "\" height=\"" + number(size.y) + "\" fill=\"" + fill + "\"" + pen(edge) +
        "/>");
  }
  void circle(Point centre, double radius, const std::string& fill,
              const Stroke& edge = {"none", 0}) {
    add("<circle cx=\"" + number(centre.x) + "\" cy=\"" + number(centre.y) + "\" r=\"" +
        number(radius) + "\" fill=\"" + fill + "\"" + pen(edge) + "/>");
  }
  void line(const std::vector<Point>& points, const Stroke& stroke = {}) {
    std::string list;
    for (const Point& p : points) list += number(p.x) + "," + number(p.y) + " ";
    list.pop_back();
    add("<polyline points=\"" + list + "\" fill=\"none\"" + pen(stroke) + "/>");
  }
  /// A line with a head at its end.
  void arrow(Point from, Point to, const Stroke& stroke = {}) {
    line({from, to}, stroke);
    const double length = std::hypot(to.x - from.x, to.y - from.y);
    const double x = (to.x - from.x) / length * 7, y = (to.y - from.y) / length * 7;
    line({{to.x - x - y / 2, to.y - y + x / 2}, to, {to.x - x + y / 2, to.y - y - x / 2}}, stroke);
  }
  void text(Point at, const std::string& words, const Words& w = {}) {
    add("<text x=\"" + number(at.x) + "\" y=\"" + number(at.y) + "\" font-size=\"" +
        number(w.size) + "\" text-anchor=\"" + w.anchor + "\" fill=\"" + w.colour + "\">" + words +
        "</text>");
  }
  /// A picture (1,1,H,W), `low` white and `high` black, each pixel a square of `side`.
  void picture(Point corner, const reference::Array& image, double side, double low = 0,
               double high = 1) {
    reference::for_each(image, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
      const double share = (image.at(n, c, y, x) - low) / (high - low);
      const int level = static_cast<int>(std::lround(255 * (1 - std::clamp(share, 0.0, 1.0))));
      char colour[8];
      std::snprintf(colour, sizeof colour, "#%02x%02x%02x", level, level, level);
      box({corner.x + static_cast<double>(x) * side, corner.y + static_cast<double>(y) * side},
          {side, side}, colour);
    });
  }

  void print() const { std::printf("%s</svg>\n", body_.c_str()); }

  /// One decimal, so that no rounding of the last bits is seen.
  static std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", value == 0 ? 0.0 : value);
    return text;
  }

 private:
  static std::string pen(const Stroke& stroke) {
    if (stroke.width == 0) return "";
    std::string out = std::string(" stroke=\"") + stroke.colour + "\" stroke-width=\"" +
                      number(stroke.width) + "\"";
    if (*stroke.dashes) out += std::string(" stroke-dasharray=\"") + stroke.dashes + "\"";
    return out;
  }
  void add(const std::string& element) { body_ += element + "\n"; }

  std::string body_;
};

/// Where values lie on the sheet; a logarithmic axis takes logarithms beforehand.
struct Axes {
  Point corner, size;  ///< On the sheet: the upper left corner.
  Point low, high;     ///< The values at the lower left and at the upper right.

  Point at(double x, double y) const {
    return {corner.x + (x - low.x) / (high.x - low.x) * size.x,
            corner.y + (high.y - y) / (high.y - low.y) * size.y};
  }
  void draw(Svg& svg, const std::string& below, const std::string& above) const {
    svg.line({corner, {corner.x, corner.y + size.y}, {corner.x + size.x, corner.y + size.y}});
    svg.text({corner.x + size.x / 2, corner.y + size.y + 34}, below, {.anchor = "middle"});
    svg.text({corner.x, corner.y - 10}, above);
  }
  void mark_x(Svg& svg, double x, const std::string& words) const {
    svg.text({at(x, low.y).x, corner.y + size.y + 16}, words, {.size = 11, .anchor = "middle"});
  }
  void mark_y(Svg& svg, double y, const std::string& words) const {
    svg.line({at(low.x, y), at(high.x, y)}, {"#ddd", 1});
    svg.text({corner.x - 5, at(low.x, y).y + 4}, words, {.size = 11, .anchor = "end"});
  }
};

}  // namespace limbic::course
