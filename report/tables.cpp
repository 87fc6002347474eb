// Sections as tables, and what must fit in them.
#include <algorithm>

#include "limbic/core/error.h"
#include "limbic/report/text.h"

namespace limbic::report {
namespace {

using Table = Report::Table;

std::string count_text(int64_t count) { return count > 0 ? std::to_string(count) : ""; }

Table accuracies(std::string title, std::string explanation,
                 const std::vector<Report::Accuracy>& rows) {
  Table out{std::move(title),
            std::move(explanation),
            {{"what"}, {"accuracy", true}, {"95 % interval", true}, {"pictures", true}},
            {}};
  for (const Report::Accuracy& row : rows)
    out.rows.push_back(
        {row.name, percent_text(row.value), interval_text(row), count_text(row.samples)});
  return out;
}

Table lines(const Report::LineChart& chart) {
  const bool banded =
      std::ranges::any_of(chart.series, [](const auto& s) { return !s.low.empty(); });
  Table out{chart.title,
            chart.explanation,
            {{"series"},
             {chart.x_label.empty() ? "x" : chart.x_label, true},
             {chart.y_label.empty() ? "y" : chart.y_label, true}},
            {}};
  if (banded) out.columns.insert(out.columns.end(), {{"from", true}, {"to", true}});
  for (const auto& series : chart.series)
    for (size_t i = 0; i < series.points.size(); ++i) {
      const auto& p = series.points[i];
      out.rows.push_back({series.name, value_text(p.x), value_text(p.y)});
      if (!banded) continue;
      const bool own = !series.low.empty();
      out.rows.back().push_back(own ? value_text(series.low[i]) : "");
      out.rows.back().push_back(own ? value_text(series.high[i]) : "");
    }
  return out;
}

Table counts(const Report::Confusion& matrix) {
  Table out{matrix.title, matrix.explanation, {{"labelled"}}, {}};
  for (const std::string& name : matrix.classes) out.columns.push_back({name, true});
  for (size_t truth = 0; truth < matrix.counts.size(); ++truth) {
    out.rows.push_back({matrix.classes[truth]});
    for (const int64_t count : matrix.counts[truth])
      out.rows.back().push_back(std::to_string(count));
    out.emphasis.push_back({truth, truth + 1});
  }
  return out;
}

Table pictures(const Report::Gallery& gallery) {
  Table out{gallery.title.empty() ? "Some of the pictures" : gallery.title,
            gallery.explanation,
            {{"picture"}, {"labelled"}, {"answered"}, {"probability", true}},
            {}};
  for (const Report::Sample& s : gallery.samples)
    out.rows.push_back({s.name, s.truth, s.predicted, percent_text(s.probability)});
  return out;
}

void check_matrix(const Report::Confusion& matrix) {
  const size_t n = matrix.classes.size();
  require(matrix.counts.size() == n, "report: confusion matrix '", matrix.title, "' has ", n,
          " classes but ", matrix.counts.size(), " rows");
  for (const auto& row : matrix.counts) {
    require(row.size() == n, "report: confusion matrix '", matrix.title, "' has ", n,
            " classes but a row of ", row.size());
    for (const int64_t count : row)
      require(count >= 0, "report: confusion matrix '", matrix.title, "' holds a count of ", count);
  }
}

void check_table(const Table& table) {
  for (const auto& row : table.rows)
    require(row.size() == table.columns.size(), "report: table '", table.title, "' has ",
            table.columns.size(), " columns but a row of ", row.size());
}

void check_lines(const Report::LineChart& chart) {
  for (const auto& s : chart.series)
    require(s.low.size() == s.high.size() && (s.low.empty() || s.low.size() == s.points.size()),
            "report: '", s.name, "' in chart '", chart.title, "' has ", s.points.size(),
            " points but a band of ", s.low.size(), " and ", s.high.size());
}

}  // namespace

void check(const Report::Section& section) {
  std::visit(Overloaded{[](const Report::Confusion& s) { check_matrix(s); },
                        [](const Table& s) { check_table(s); },
                        [](const Report::LineChart& s) { check_lines(s); }, [](const auto&) {}},
             section);
}

bool is_empty(const Report::Section& section) {
  return std::visit(Overloaded{[](const Report::Paragraphs& s) { return s.texts.empty(); },
                               [](const Report::Headline& s) { return s.rows.empty(); },
                               [](const Table& s) { return s.columns.empty(); },
                               [](const Report::Gallery& s) { return s.samples.empty(); },
                               [](const auto&) { return false; }},
                    section);
}

Table table_of(const Report::Section& section) {
  check(section);
  return std::visit(
      Overloaded{
          [](const Report::Headline& s) {
            return accuracies(s.title.empty() ? "How often it was right" : s.title, s.explanation,
                              s.rows);
          },
          [](const Table& s) { return s; },
          [](const Report::BarChart& s) { return accuracies(s.title, s.explanation, s.bars); },
          [](const Report::LineChart& s) { return lines(s); },
          [](const Report::Confusion& s) { return counts(s); },
          [](const Report::Gallery& s) { return pictures(s); },
          [](const auto&) { return Table{}; }},
      section);
}

std::vector<Table> tables_of(const Report& report) {
  std::vector<Table> out;
  for (const Report::Section& section : report.sections)
    if (Table table = table_of(section); !table.columns.empty() && !is_empty(section))
      out.push_back(std::move(table));
  return out;
}

}  // namespace limbic::report
