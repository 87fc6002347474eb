#pragma once
#include <string>
#include <vector>

namespace limbic::report {

/// Values over two axes, as a picture.
struct HeatMap {
  std::string title, x_label, y_label;
  std::vector<double> x, y;    ///< Of columns, left to right, and of rows, top to bottom.
  std::vector<double> values;  ///< rows x columns, shares of 1, row by row.
};

/// Writes an SVG picture atomically: a cell for each value, coloured from the smallest to the
/// largest, its per cent inside, a frame around the largest. Throws Error where sizes do not fit.
void write_heat_map(const std::string& path, const HeatMap& map);

}  // namespace limbic::report
