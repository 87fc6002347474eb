#include "limbic/report/charts.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "limbic/io/utf8.h"

namespace limbic::report {
namespace {

constexpr size_t colors = 8;                         // --c0 to --c7 of the page's style
constexpr const char* replacement = "\xEF\xBF\xBD";  // U+FFFD

/// Six significant digits.
std::string value_text(double value) {
  if (!std::isfinite(value)) return "n/a";
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, 6);
  return {buffer, end.ptr};
}

/// At most `limit` characters, an ellipsis in place of the rest.
std::string shorten(std::string_view text, size_t limit) {
  size_t end = 0;
  for (size_t characters = 0; end < text.size(); ++characters) {
    if (characters == limit) return std::string(text.substr(0, end)) + "\u2026";
    end += std::max<size_t>(io::utf8_length(text.substr(end)), 1);
  }
  return std::string(text);
}

std::string coordinate(double value) { return number_text(value, 2); }

/// Round steps (1, 2 or 5 times a power of ten) that cover [low, high].
struct Axis {
  double low = 0, high = 1, step = 1;
  int digits = 0;
};

Axis nice_axis(double low, double high) {
  if (!(low <= high)) low = 0, high = 1;
  if (high - low < 1e-9 * std::max({std::abs(low), std::abs(high), 1e-3})) {
    const double room = low == 0 ? 1 : std::abs(low) / 2;
    low -= room, high += room;
  }
  const double rough = high / 5 - low / 5;
  const double power = std::floor(std::log10(rough)), ten = std::pow(10, power);
  const double lead = rough / ten;
  Axis axis;
  axis.step = (lead <= 1.01 ? 1 : lead <= 2.01 ? 2 : lead <= 5.01 ? 5 : 10) * ten;
  axis.low = std::floor(low / axis.step + 1e-9) * axis.step;
  axis.high = std::ceil(high / axis.step - 1e-9) * axis.step;
  axis.digits = std::clamp(static_cast<int>(-std::floor(std::log10(axis.step) + 1e-9)), 0, 12);
  return axis;
}

/// Where data lands in the drawing, 640 x 330 units.
struct Plane {
  Axis x, y;
  static constexpr double left = 62, right = 622, top = 16, bottom = 276;

  double px(double value) const {
    return left + (value - x.low) / (x.high - x.low) * (right - left);
  }
  double py(double value) const {
    return bottom - (value - y.low) / (y.high - y.low) * (bottom - top);
  }
};

bool finite(const Report::Location& p) {
  constexpr double limit = 1e100;  // beyond it the arithmetic of the axes could overflow
  return std::abs(p.x) <= limit && std::abs(p.y) <= limit;
}

Plane plane_of(const Report::LineChart& chart) {
  double x_low = INFINITY, x_high = -INFINITY, y_low = INFINITY, y_high = -INFINITY;
  for (const auto& series : chart.series)
    for (const auto& p : series.points) {
      if (!finite(p)) continue;
      x_low = std::min(x_low, p.x), x_high = std::max(x_high, p.x);
      y_low = std::min(y_low, p.y), y_high = std::max(y_high, p.y);
    }
  return {nice_axis(x_low, x_high), nice_axis(y_low, y_high)};
}

std::string label(const std::string& text, const std::string& attributes) {
  return "<text " + attributes + ">" + escape_html(text) + "</text>\n";
}

std::string axes(const Plane& plane, const Report::LineChart& chart) {
  std::string out;
  const auto ticks = [](const Axis& axis) {
    return static_cast<int>(std::lround((axis.high - axis.low) / axis.step));
  };
  for (int i = 0; i <= ticks(plane.y); ++i) {
    const double value = plane.y.low + i * plane.y.step;
    const std::string y = coordinate(plane.py(value));
    out += "<line class=\"grid\" x1=\"62\" x2=\"622\" y1=\"" + y + "\" y2=\"" + y + "\"/>\n";
    out += label(number_text(value, plane.y.digits),
                 "class=\"tick\" text-anchor=\"end\" x=\"54\" y=\"" +
                     coordinate(plane.py(value) + 4) + "\"");
  }
  for (int i = 0; i <= ticks(plane.x); ++i) {
    const double value = plane.x.low + i * plane.x.step;
    out +=
        label(number_text(value, plane.x.digits), "class=\"tick\" text-anchor=\"middle\" x=\"" +
                                                      coordinate(plane.px(value)) + "\" y=\"296\"");
  }
  out += label(chart.x_label, "class=\"axis\" text-anchor=\"middle\" x=\"342\" y=\"320\"");
  out += label(chart.y_label,
               "class=\"axis\" text-anchor=\"middle\" transform=\"translate(16 146) rotate(-90)\"");
  return out;
}

std::string curve(const Plane& plane, const Report::Series& series, size_t number) {
  std::string line, marks;
  const bool marked = series.points.size() <= 100;  // more would hide the line
  for (const auto& p : series.points) {
    if (!finite(p)) continue;
    const std::string x = coordinate(plane.px(p.x)), y = coordinate(plane.py(p.y));
    line += (line.empty() ? "" : " ") + x + "," + y;
    if (!marked) continue;
    marks += "<circle cx=\"" + x + "\" cy=\"" + y + "\" r=\"3\"><title>" +
             escape_html(series.name) + ": " + value_text(p.x) + ", " + value_text(p.y) +
             "</title></circle>\n";
  }
  const std::string dash = number / colors % 2 ? " dashed" : "";
  return "<g class=\"s" + std::to_string(number % colors) + dash + "\">\n<polyline points=\"" +
         line + "\"/>\n" + marks + "</g>\n";
}

std::string numbers(const Report::LineChart& chart) {
  std::string out = "<details><summary>The numbers</summary>\n<table class=\"plain\"><tr><th>" +
                    escape_html("series") + "</th><th class=\"n\">" + escape_html(chart.x_label) +
                    "</th><th class=\"n\">" + escape_html(chart.y_label) + "</th></tr>\n";
  for (const auto& series : chart.series)
    for (const auto& p : series.points)
      out += "<tr><td>" + escape_html(series.name) + "</td><td class=\"n\">" + value_text(p.x) +
             "</td><td class=\"n\">" + value_text(p.y) + "</td></tr>\n";
  return out + "</table></details>\n";
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t length = io::utf8_length(text);
    const auto first = static_cast<unsigned char>(text.front());
    const bool c1 = length == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
    const bool control = (first < 0x20 && first != '\n' && first != '\t') || first == 0x7F || c1;
    if (length == 0 || control)
      out += replacement;
    else if (first == '&')
      out += "&amp;";
    else if (first == '<')
      out += "&lt;";
    else if (first == '>')
      out += "&gt;";
    else if (first == '"')
      out += "&quot;";
    else if (first == '\'')
      out += "&#39;";
    else
      out += text.substr(0, length);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

std::string number_text(double value, int digits) {
  if (!std::isfinite(value)) return "n/a";
  char buffer[400];
  const bool huge = std::abs(value) >= 1e15;
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value,
                    huge ? std::chars_format::scientific : std::chars_format::fixed, digits);
  std::string text(buffer, end.ptr);
  if (!huge && text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text == "-0" ? "0" : text;
}

std::string percent_text(double part) {
  if (!std::isfinite(part)) return "n/a";
  std::string text = number_text(part * 100, 1);
  if (text.find('.') == std::string::npos) text += ".0";
  return text + " %";
}

Interval wilson_interval(const Report::Accuracy& accuracy) {
  if (accuracy.samples <= 0 || !std::isfinite(accuracy.value)) return {};
  const double z = 1.96, n = static_cast<double>(accuracy.samples);
  const double p = std::clamp(accuracy.value, 0.0, 1.0), scale = 1 + z * z / n;
  const double center = (p + z * z / (2 * n)) / scale;
  const double half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / scale;
  return {std::max(0.0, center - half), std::min(1.0, center + half)};
}

std::string render_chart(const Report::BarChart& chart) {
  constexpr double left = 250, full = 310, row = 34;
  const double height = row * static_cast<double>(chart.bars.size()) + 28;
  std::string out = "<svg viewBox=\"0 0 640 " + coordinate(height) +
                    "\" role=\"img\" aria-label=\"" + escape_html(chart.title) + "\">\n";
  for (int tick = 0; tick <= 4; ++tick) {
    const std::string x = coordinate(left + full * tick / 4);
    out += "<line class=\"grid\" x1=\"" + x + "\" x2=\"" + x + "\" y1=\"0\" y2=\"" +
           coordinate(height - 22) + "\"/>\n";
    out +=
        label(std::to_string(tick * 25) + " %", "class=\"tick\" text-anchor=\"middle\" x=\"" + x +
                                                    "\" y=\"" + coordinate(height - 6) + "\"");
  }
  for (size_t i = 0; i < chart.bars.size(); ++i) {
    const Report::Accuracy& bar = chart.bars[i];
    const double top = row * static_cast<double>(i) + 6;
    const double part = std::isfinite(bar.value) ? std::clamp(bar.value, 0.0, 1.0) : 0;
    out += "<g><title>" + escape_html(bar.name) + "</title>\n";
    out += label(shorten(bar.name, 31),
                 "class=\"name\" text-anchor=\"end\" x=\"240\" y=\"" + coordinate(top + 15) + "\"");
    out += "<rect class=\"b" + std::to_string(i % colors) + "\" x=\"250\" y=\"" + coordinate(top) +
           "\" width=\"" + coordinate(full * part) + "\" height=\"22\" rx=\"3\"/>\n";
    double end = part;
    if (bar.samples > 0 && std::isfinite(bar.value)) {
      const Interval interval = wilson_interval(bar);
      end = std::max(part, interval.high);
      out += "<path class=\"whisker\" d=\"M" + coordinate(left + full * interval.low) + " " +
             coordinate(top + 11) + "H" + coordinate(left + full * interval.high) + "\"/>\n";
    }
    out +=
        label(percent_text(bar.value), "class=\"value\" x=\"" + coordinate(left + full * end + 8) +
                                           "\" y=\"" + coordinate(top + 15) + "\"");
    out += "</g>\n";
  }
  return out + "</svg>\n";
}

std::string render_chart(const Report::LineChart& chart) {
  const Plane plane = plane_of(chart);
  std::string out = "<svg viewBox=\"0 0 640 330\" role=\"img\" aria-label=\"" +
                    escape_html(chart.title) + "\">\n" + axes(plane, chart);
  for (size_t i = 0; i < chart.series.size(); ++i) out += curve(plane, chart.series[i], i);
  out += "</svg>\n<ul class=\"legend\">";
  for (size_t i = 0; i < chart.series.size(); ++i)
    out += "<li><span class=\"b" + std::to_string(i % colors) + "\"></span>" +
           escape_html(chart.series[i].name) + "</li>";
  return out + "</ul>\n" + numbers(chart);
}

}  // namespace limbic::report
