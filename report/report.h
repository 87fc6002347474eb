#pragma once
// report: what a run found, as a list of sections; written as a page, Markdown, LaTeX or CSV.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace limbic::report {

/// What a report shows: plain data, in the order of the page. Text may hold anything, also hostile
/// file names: each format escapes it. An explanation is a sentence below a section; where it is
/// empty some kinds have a general one.
struct Report {
  struct Interval {
    double low = 0, high = 1;
  };
  /// A part of the pictures that were classified rightly.
  struct Accuracy {
    std::string name;
    double value = 0;                       ///< 0-1.
    int64_t samples = 0;                    ///< Pictures it was measured on; 0: no measurement.
    std::optional<Interval> interval = {};  ///< Else Wilson's of 95 %, where it has samples.
  };

  /// Notes, a paragraph each.
  struct Paragraphs {
    std::vector<std::string> texts;
  };
  /// The accuracies that matter most, as a table.
  struct Headline {
    std::vector<Accuracy> rows;
    std::string title = {}, explanation = {};
  };
  struct Column {
    std::string name;
    bool numeric = false;  ///< Set to the right.
  };
  struct Place {
    size_t row = 0, column = 0;
  };
  struct Table {
    std::string title, explanation;
    std::vector<Column> columns;
    std::vector<std::vector<std::string>> rows;  ///< Each as wide as there are columns.
    std::vector<Place> emphasis = {};            ///< Cells set in bold.
    std::vector<std::string> footnotes = {};
  };
  /// Accuracies as bars, each with its interval.
  struct BarChart {
    std::string title, explanation;
    std::vector<Accuracy> bars;
  };
  struct Location {
    double x = 0, y = 0;
  };
  struct Series {
    std::string name;
    std::vector<Location> points;             ///< In the order drawn; those not finite are skipped.
    std::vector<double> low = {}, high = {};  ///< A band around them: as many as points, or none.
  };
  /// Lines. Ticks stand at whole numbers where every x is one: at epochs.
  struct LineChart {
    std::string title, explanation, x_label, y_label;
    std::vector<Series> series;
    bool diagonal = false;  ///< Both axes 0-1, with the line y = x: a reliability diagram.
  };
  /// counts[truth][predicted], square over `classes`; a class may have no picture at all. Shown as
  /// per cent of the row.
  struct Confusion {
    std::string title, explanation;
    std::vector<std::string> classes;
    std::vector<std::vector<int64_t>> counts;
  };
  struct Sample {
    std::vector<uint8_t> png;  ///< A PNG file.
    std::string name, truth, predicted;
    double probability = 0;  ///< Of `predicted`, 0-1.
  };
  struct Gallery {
    std::vector<Sample> samples;
    std::string title = {}, explanation = {};
  };
  /// A drawing of ours (figure.h), put onto the page as it is.
  struct Figure {
    std::string title, explanation;
    std::string svg;
    std::string text = {};  ///< The same in words, for formats without drawings.
  };

  using Section =
      std::variant<Paragraphs, Headline, Table, BarChart, LineChart, Confusion, Gallery, Figure>;

  int reload_seconds = 0;       ///< Of a page that is still being written: the browser asks again.
  std::string title, subtitle;  ///< The subtitle is set as code: the command line.
  std::vector<Section> sections;  ///< Those without anything in them are left out.

  void add(Section section) { sections.push_back(std::move(section)); }
};

/// One self-contained HTML page: no script, no other file, no address; light or dark as the
/// reader's system is, for wide and narrow windows and for paper. The same report gives the same
/// bytes. Throws Error where the counts of a confusion matrix are not square over its classes, or
/// negative, where a row of a table is not as wide as its columns, and where a band has another
/// number of values than its points.
std::string render_html(const Report& report);
/// The same numbers as GitHub's Markdown; charts as tables, pictures by name.
std::string render_markdown(const Report& report);
/// As a fragment of LaTeX, for \input into a document with \usepackage{booktabs}.
std::string render_latex(const Report& report);
/// RFC 4180, the columns' names first. A text that a spreadsheet would run as a formula gets a '
/// before it.
std::string render_csv(const Report::Table& table);

/// Every section that holds numbers or names as a table, in order: what the formats without charts
/// show, and render_csv writes. A confusion matrix gives its counts.
std::vector<Report::Table> tables_of(const Report& report);

}  // namespace limbic::report
