#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace limbic::report {

/// What a report shows: plain data, in the order of the page. Parts left empty are left out. Text
/// may hold anything, also hostile file names: it is escaped.
struct Report {
  /// A part of the pictures that were classified rightly.
  struct Accuracy {
    std::string name;
    double value = 0;     ///< 0-1.
    int64_t samples = 0;  ///< Pictures it was measured on; 0 where it is not a measurement.
  };
  /// Accuracies as bars, each with its 95 % interval where it has samples.
  struct BarChart {
    std::string title, explanation;
    std::vector<Accuracy> bars;
  };
  struct Sample {
    std::vector<uint8_t> png;  ///< A PNG file.
    std::string name, truth, predicted;
    double probability = 0;  ///< Of `predicted`, 0-1.
  };
  /// counts[truth][predicted], square over `classes`; a class may have no picture at all.
  struct Confusion {
    std::string title, explanation;
    std::vector<std::string> classes;
    std::vector<std::vector<int64_t>> counts;
  };
  struct Location {
    double x = 0, y = 0;
  };
  struct Series {
    std::string name;
    std::vector<Location> points;  ///< In the order drawn; those that are not finite are skipped.
  };
  struct LineChart {
    std::string title, explanation, x_label, y_label;
    std::vector<Series> series;
  };

  int reload_seconds = 0;       ///< Of a page that is still being written: the browser asks again.
  std::string title, subtitle;  ///< The subtitle is set as code: the command line.
  std::vector<std::string> notes;  ///< A paragraph each.
  std::vector<Accuracy> headline;  ///< A table.
  std::vector<BarChart> bar_charts;
  std::string gallery_explanation;  ///< A sentence of its own, else a general one.
  std::vector<Sample> gallery;
  std::vector<Confusion> confusions;
  std::vector<LineChart> line_charts;
};

/// One self-contained HTML page: no script, no other file, no address; light or dark as the
/// reader's system is. The same report gives the same bytes. Throws Error where the counts of a
/// confusion matrix are not square over its classes, or negative.
std::string render_html(const Report& report);

}  // namespace limbic::report
