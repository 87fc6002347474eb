#pragma once
#include <string>
#include <string_view>

#include "limbic/report/report.h"

namespace limbic::report {

/// `text` with the five characters that HTML gives a meaning replaced by entities, and with control
/// characters and broken UTF-8 replaced by U+FFFD.
std::string escape_html(std::string_view text);
/// At most `digits` decimals, trailing zeros dropped, whatever the locale; "n/a" unless finite.
std::string number_text(double value, int digits);
/// "64.1 %" of 0.641.
std::string percent_text(double part);
/// The 95 % interval of an accuracy, 0-1 (Wilson 1927).
struct Interval {
  double low = 0, high = 1;
};
Interval wilson_interval(const Report::Accuracy& accuracy);

/// The charts as inline SVG, and the line chart's legend and table of numbers as HTML.
std::string render_chart(const Report::BarChart& chart);
std::string render_chart(const Report::LineChart& chart);

}  // namespace limbic::report
