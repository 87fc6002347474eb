#include "limbic/report/heat_map.h"

#include <algorithm>
#include <cmath>
#include <ostream>

#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/report/text.h"
#include "limbic/svm/text.h"

namespace limbic::report {
namespace {

constexpr double cell = 44, left = 70, top = 50;

std::string number(double value) { return svm::format_number(value, 4); }

void write_text(std::ostream& out, double x, double y, const std::string& text) {
  out << "<text x=\"" << number(x) << "\" y=\"" << number(y) << "\">" << escape_html(text)
      << "</text>\n";
}

// From dark blue over green to yellow; share in [0, 1].
std::string colour(double share) {
  constexpr double stops[3][3] = {{68, 1, 84}, {33, 145, 140}, {253, 231, 37}};
  const int from = share < 0.5 ? 0 : 1;
  const double between = 2 * share - from;
  std::string out = "rgb(";
  for (int channel = 0; channel < 3; ++channel)
    out += std::to_string(std::lround(stops[from][channel] * (1 - between) +
                                      stops[from + 1][channel] * between)) +
           (channel < 2 ? "," : ")");
  return out;
}

}  // namespace

void write_heat_map(const std::string& path, const HeatMap& map) {
  const size_t columns = map.x.size(), rows = map.y.size();
  require(!map.values.empty() && map.values.size() == columns * rows, path, ": ", rows, " x ",
          columns, " cells but ", map.values.size(), " values");
  for (double value : map.values)
    require(std::isfinite(value), path, ": expected finite values, got ", value);
  const auto ends = std::minmax_element(map.values.begin(), map.values.end());
  const double low = *ends.first, high = *ends.second;
  write_atomically(path, [&](std::ostream& out) {
    const double width = left + cell * static_cast<double>(columns) + 20,
                 height = top + cell * static_cast<double>(rows) + 60;
    out << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << number(width) << "\" height=\""
        << number(height)
        << "\" font-family=\"sans-serif\" font-size=\"11\" text-anchor=\"middle\">\n";
    write_text(out, width / 2, 24, map.title);
    write_text(out, width / 2, height - 14, map.x_label);
    write_text(out, left / 2, top - 8, map.y_label);
    for (size_t i = 0; i < map.values.size(); ++i) {
      const double x = left + cell * static_cast<double>(i % columns),
                   y = top + cell * static_cast<double>(i / columns), value = map.values[i];
      const double share = high > low ? (value - low) / (high - low) : 1;
      const bool best = value == high;
      out << "<g fill=\"" << (share < 0.6 ? "white" : "black") << "\"><rect x=\"" << number(x + 1)
          << "\" y=\"" << number(y + 1) << "\" width=\"" << number(cell - 2) << "\" height=\""
          << number(cell - 2) << "\" fill=\"" << colour(share) << "\""
          << (best ? " stroke=\"red\" stroke-width=\"2\"" : "") << "/>";
      write_text(out, x + cell / 2, y + cell / 2 + 4, number(std::round(1000 * value) / 10));
      out << "</g>\n";
    }
    for (size_t j = 0; j < columns; ++j)
      write_text(out, left + cell * (static_cast<double>(j) + 0.5),
                 top + cell * static_cast<double>(rows) + 18, number(map.x[j]));
    for (size_t i = 0; i < rows; ++i)
      write_text(out, left - 18, top + cell * (static_cast<double>(i) + 0.5) + 4, number(map.y[i]));
    out << "</svg>\n";
  });
}

}  // namespace limbic::report
