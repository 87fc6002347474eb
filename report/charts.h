#pragma once
#include <string>

#include "limbic/report/text.h"

namespace limbic::report {

/// Bars in HTML, which wrap with the window.
std::string render_bars(const Report::BarChart& chart);
/// Lines as inline SVG, drawn for a wide and a narrow window, and the legend. `alone`: it has a row
/// of the page to itself.
std::string render_lines(const Report::LineChart& chart, bool alone);

/// An axis that covers [low, high], with ticks at round numbers.
struct Axis {
  double low = 0, high = 1;
  std::vector<double> ticks;
  int digits = 0;  ///< Of the ticks, behind the point.
};
/// Of values that need not be finite or there at all.
Axis axis_of(const std::vector<double>& values);
/// The same of an x axis: ticks at the values themselves where these are few and apart, and at
/// whole numbers alone where all values are whole.
Axis axis_over(const std::vector<double>& values);

}  // namespace limbic::report
