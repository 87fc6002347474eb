#include "limbic/report/charts.h"

#include <algorithm>
#include <cmath>

#include "limbic/io/utf8.h"

namespace limbic::report {
namespace {

constexpr size_t colors = 7;  // --c0 to --c6 of the page's style; with four dashes, 28 lines differ
constexpr size_t dashes = 4;

std::string coordinate(double value) { return number_text(value, 2); }

// Fit for a drawing: at most `limit` characters, an ellipsis in place of the rest.
std::string shortened(std::string_view text, size_t limit) {
  size_t end = 0;
  for (size_t characters = 0; end < text.size(); ++characters) {
    if (characters == limit) return std::string(text.substr(0, end)) + "\u2026";
    end += std::max<size_t>(io::utf8_length(text.substr(end)), 1);
  }
  return std::string(text);
}

std::string label(const std::string& text, const std::string& attributes) {
  return "<text " + attributes + ">" + escape_html(text) + "</text>\n";
}

// A mark around (0,0), another for each line.
const char* mark(size_t series) {
  constexpr const char* marks[colors] = {"M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z",
                                         "M-3.2-3.2h6.4v6.4h-6.4z",
                                         "M0-4.2L4 3.2h-8z",
                                         "M0-4.6L4 0L0 4.6L-4 0z",
                                         "M0 4.2L4-3.2h-8z",
                                         "M-4.2-1.2h3v-3h2.4v3h3v2.4h-3v3h-2.4v-3h-3z",
                                         "M-4-1.6h8v3.2h-8z"};
  return marks[series % colors];
}

std::string kind(size_t series) {
  const size_t dash = series % dashes;
  return "s" + std::to_string(series % colors) + (dash ? " dash" + std::to_string(dash) : "");
}

// Where the drawing lies in its picture of width x height.
struct Frame {
  double width, height, left, right, top, bottom;
};

struct Plane {
  Axis x, y;
  Frame frame;

  double px(double value) const {
    return frame.left + (value - x.low) / (x.high - x.low) * (frame.right - frame.left);
  }
  double py(double value) const {
    return frame.bottom - (value - y.low) / (y.high - y.low) * (frame.bottom - frame.top);
  }
  bool shows(double vx, double vy) const {
    constexpr double limit = 1e100;
    return std::abs(vx) <= limit && std::abs(vy) <= limit;
  }
  std::string point(double vx, double vy) const {
    return coordinate(px(vx)) + "," + coordinate(py(vy));
  }
};

Plane plane_of(const Report::LineChart& chart, double width, double height) {
  std::vector<double> x, y;
  for (const auto& series : chart.series) {
    for (const auto& p : series.points) {
      const bool both = std::isfinite(p.x) && std::isfinite(p.y);
      if (both) x.push_back(p.x), y.push_back(p.y);
    }
    y.insert(y.end(), series.low.begin(), series.low.end());
    y.insert(y.end(), series.high.begin(), series.high.end());
  }
  if (chart.diagonal) x = y = {0, 0.2, 0.4, 0.6, 0.8, 1};
  Plane plane{axis_over(x), axis_of(y), {width, height, 0, width - 16, 26, height - 42}};
  size_t longest = 1;
  for (const double tick : plane.y.ticks)
    longest = std::max(longest, number_text(tick, plane.y.digits).size());
  plane.frame.left = 14 + 7 * static_cast<double>(std::min<size_t>(longest, 14));
  return plane;
}

std::string axes(const Plane& plane, const Report::LineChart& chart) {
  const Frame& f = plane.frame;
  std::string out;
  for (const double value : plane.y.ticks) {
    const std::string y = coordinate(plane.py(value));
    out += "<line class=\"grid\" x1=\"" + coordinate(f.left) + "\" x2=\"" + coordinate(f.right) +
           "\" y1=\"" + y + "\" y2=\"" + y + "\"/>\n";
    out += label(number_text(value, plane.y.digits), "class=\"tick\" text-anchor=\"end\" x=\"" +
                                                         coordinate(f.left - 8) + "\" y=\"" +
                                                         coordinate(plane.py(value) + 4) + "\"");
  }
  for (const double value : plane.x.ticks)
    out += label(number_text(value, plane.x.digits), "class=\"tick\" text-anchor=\"middle\" x=\"" +
                                                         coordinate(plane.px(value)) + "\" y=\"" +
                                                         coordinate(f.bottom + 17) + "\"");
  out += label(shortened(chart.x_label, 34), "class=\"axis\" text-anchor=\"middle\" x=\"" +
                                                 coordinate((f.left + f.right) / 2) + "\" y=\"" +
                                                 coordinate(f.height - 6) + "\"");
  out += label(shortened(chart.y_label, 34), "class=\"axis\" x=\"2\" y=\"12\"");
  if (chart.diagonal)
    out +=
        "<path class=\"diagonal\" d=\"M" + plane.point(0, 0) + "L" + plane.point(1, 1) + "\"/>\n";
  return out;
}

std::string band(const Plane& plane, const Report::Series& series, size_t number) {
  std::string there, back;
  for (size_t i = 0; i < series.low.size(); ++i) {
    const double x = series.points[i].x;
    if (!plane.shows(x, series.low[i]) || !plane.shows(x, series.high[i])) continue;
    there += (there.empty() ? "" : " ") + plane.point(x, series.high[i]);
    back.insert(0, " " + plane.point(x, series.low[i]));
  }
  if (there.empty()) return "";
  return "<polygon class=\"band s" + std::to_string(number % colors) + "\" points=\"" + there +
         back + "\"/>\n";
}

std::string curve(const Plane& plane, const Report::Series& series, size_t number) {
  std::string line, marks;
  const bool marked = series.points.size() <= 100;  // more would hide the line
  for (const auto& p : series.points) {
    if (!plane.shows(p.x, p.y)) continue;
    line += (line.empty() ? "" : " ") + plane.point(p.x, p.y);
    if (!marked) continue;
    marks += std::string("<path d=\"") + mark(number) + "\" transform=\"translate(" +
             plane.point(p.x, p.y) + ")\"><title>" + escape_html(series.name) + ": " +
             value_text(p.x) + ", " + value_text(p.y) + "</title></path>\n";
  }
  return "<polyline class=\"line " + kind(number) + "\" points=\"" + line + "\"/>\n<g class=\"s" +
         std::to_string(number % colors) + " mark\">\n" + marks + "</g>\n";
}

std::string picture(const Report::LineChart& chart, const char* size, double width, double height) {
  const Plane plane = plane_of(chart, width, height);
  std::string out = std::string("<svg class=\"chart ") + size + "\" viewBox=\"0 0 " +
                    coordinate(width) + " " + coordinate(height) + "\" role=\"img\" aria-label=\"" +
                    escape_html(chart.title) + "\">\n" + axes(plane, chart);
  for (size_t i = 0; i < chart.series.size(); ++i) out += band(plane, chart.series[i], i);
  for (size_t i = 0; i < chart.series.size(); ++i) out += curve(plane, chart.series[i], i);
  return out + "</svg>\n";
}

std::string legend(const Report::LineChart& chart) {
  std::string out = "<ul class=\"legend\">";
  for (size_t i = 0; i < chart.series.size(); ++i)
    out +=
        "<li><svg width=\"30\" height=\"12\" viewBox=\"0 0 30 12\" aria-hidden=\"true\">"
        "<path class=\"line " +
        kind(i) + "\" d=\"M1 6H29\"/><path class=\"s" + std::to_string(i % colors) +
        " mark\" transform=\"translate(15,6)\" d=\"" + mark(i) + "\"/></svg><span>" +
        escape_html(chart.series[i].name) + "</span></li>\n";
  return out + "</ul>\n";
}

std::string bar(const Report::Accuracy& accuracy) {
  const auto part = [](double v) { return std::isfinite(v) ? std::clamp(v, 0.0, 1.0) : 0; };
  const auto cent = [](double v) { return number_text(100 * v, 2) + "%"; };
  std::string out = "<span class=\"name\">" + escape_html(accuracy.name) +
                    "</span><span class=\"track\"><i style=\"width:" + cent(part(accuracy.value)) +
                    "\"></i>";
  if (const auto interval = interval_of(accuracy)) {
    const double low = part(interval->low), high = std::max(low, part(interval->high));
    out += "<b style=\"left:" + cent(low) + ";width:" + cent(high - low) + "\" title=\"" +
           interval_text(accuracy) + "\"></b>";
  }
  return out + "</span><span class=\"value\">" + percent_text(accuracy.value) + "</span>\n";
}

}  // namespace

std::string render_bars(const Report::BarChart& chart) {
  std::string out = "<div class=\"bars\">\n";
  for (const Report::Accuracy& accuracy : chart.bars) out += bar(accuracy);
  return out +
         "<span class=\"name axis\"></span><span class=\"ticks\" aria-hidden=\"true\">"
         "<span style=\"left:0\">0</span><span style=\"left:25%\">25</span>"
         "<span style=\"left:50%\">50</span><span style=\"left:75%\">75</span>"
         "<span style=\"left:100%\">100 %</span></span><span class=\"value "
         "axis\"></span>\n</div>\n";
}

std::string render_lines(const Report::LineChart& chart, bool alone) {
  return (alone ? picture(chart, "full", 880, 360) : picture(chart, "half", 420, 300)) +
         picture(chart, "small", 330, 270) + legend(chart);
}

}  // namespace limbic::report
