// Reports as Markdown, LaTeX and CSV.
#include <algorithm>
#include <charconv>

#include "limbic/report/text.h"

namespace limbic::report {
namespace {

using Table = Report::Table;

bool is_emphasised(const Table& table, size_t row, size_t column) {
  return std::ranges::any_of(
      table.emphasis, [&](const Report::Place& p) { return p.row == row && p.column == column; });
}

std::string markdown(const Table& table) {
  std::string out;
  if (!table.title.empty()) out += "## " + escape_markdown(table.title) + "\n\n";
  std::string rule = "|";
  out += "|";
  for (const Report::Column& column : table.columns) {
    out += " " + escape_markdown(column.name) + " |";
    rule += column.numeric ? " ---: |" : " --- |";
  }
  out += "\n" + rule + "\n";
  for (size_t r = 0; r < table.rows.size(); ++r) {
    out += "|";
    for (size_t c = 0; c < table.rows[r].size(); ++c) {
      const std::string text = escape_markdown(table.rows[r][c]);
      out +=
          is_emphasised(table, r, c) && !text.empty() ? " **" + text + "** |" : " " + text + " |";
    }
    out += "\n";
  }
  out += "\n";
  if (!table.explanation.empty()) out += escape_markdown(table.explanation) + "\n\n";
  for (const std::string& note : table.footnotes) out += escape_markdown(note) + "\n\n";
  return out;
}

// A column's letter; a paragraph where a text would be wider than the page.
std::string latex_column(const Table& table, size_t c) {
  if (table.columns[c].numeric) return "r";
  return std::ranges::any_of(table.rows, [&](const auto& row) { return row[c].size() > 24; })
             ? "p{0.26\\linewidth}"
             : "l";
}

std::string latex(const Table& table) {
  std::string out = "\\begin{table}[htbp]\n\\centering\n", head, layout;
  if (!table.title.empty()) out += "\\caption{" + escape_latex(table.title) + "}\n";
  const size_t n = table.columns.size();
  if (n > 6)
    out += n > 10 ? "\\scriptsize\\setlength{\\tabcolsep}{2.5pt}\n"
                  : "\\footnotesize\\setlength{\\tabcolsep}{3pt}\n";
  for (size_t c = 0; c < n; ++c) {
    layout += latex_column(table, c);
    head += (c ? " & {" : "{") + escape_latex(table.columns[c].name) + "}";
  }
  out += "\\begin{tabular}{" + layout + "}\n\\toprule\n" + head + " \\\\\n\\midrule\n";
  for (size_t r = 0; r < table.rows.size(); ++r) {
    for (size_t c = 0; c < table.rows[r].size(); ++c) {
      const std::string text = escape_latex(table.rows[r][c]);
      out += c ? " & " : "";
      out += is_emphasised(table, r, c) ? "\\textbf{" + text + "}" : text;
    }
    out += " \\\\\n";
  }
  out += "\\bottomrule\n\\end{tabular}\n";
  for (const std::string& note : table.footnotes)
    out += "\\par\\smallskip{\\footnotesize " + escape_latex(note) + "}\n";
  out += "\\end{table}\n";
  if (!table.explanation.empty()) out += escape_latex(table.explanation) + "\n";
  return out + "\n";
}

// In quotes where it must be; a formula is none.
std::string csv_field(std::string_view raw) {
  std::string text = clean_text(raw);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  constexpr std::string_view formula = "=+-@\t";
  if (!text.empty() && !is_number && formula.find(text[0]) != formula.npos) text.insert(0, "'");
  if (text.find_first_of(",\"\n\t ") == text.npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

}  // namespace

std::string render_markdown(const Report& report) {
  std::string out;
  if (!report.title.empty()) out += "# " + escape_markdown(report.title) + "\n\n";
  if (!report.subtitle.empty()) out += escape_markdown(report.subtitle) + "\n\n";
  for (const Report::Section& section : report.sections) {
    if (is_empty(section)) continue;
    if (const auto* notes = std::get_if<Report::Paragraphs>(&section)) {
      for (const std::string& text : notes->texts) out += escape_markdown(text) + "\n\n";
    } else if (const auto* figure = std::get_if<Report::Figure>(&section)) {
      out += "## " + escape_markdown(figure->title) + "\n\n";
      for (const std::string& text : {figure->text, figure->explanation})
        if (!text.empty()) out += escape_markdown(text) + "\n\n";
    } else {
      out += markdown(table_of(section));
    }
  }
  return out;
}

std::string render_latex(const Report& report) {
  std::string out = "% needs \\usepackage{booktabs}\n";
  if (!report.title.empty()) out += "\\section*{" + escape_latex(report.title) + "}\n";
  if (!report.subtitle.empty())
    out += "\\noindent\\texttt{" + escape_latex(report.subtitle) + "}\n\n";
  for (const Report::Section& section : report.sections) {
    if (is_empty(section)) continue;
    if (const auto* notes = std::get_if<Report::Paragraphs>(&section)) {
      for (const std::string& text : notes->texts) out += escape_latex(text) + "\n\n";
    } else if (const auto* figure = std::get_if<Report::Figure>(&section)) {
      out += "\\paragraph{" + escape_latex(figure->title) + "}\n";
      for (const std::string& text : {figure->text, figure->explanation})
        if (!text.empty()) out += escape_latex(text) + "\n\n";
    } else {
      out += latex(table_of(section));
    }
  }
  return out;
}

std::string render_csv(const Table& table) {
  check(table);
  std::string out;
  for (size_t c = 0; c < table.columns.size(); ++c)
    out += (c ? "," : "") + csv_field(table.columns[c].name);
  out += "\n";
  for (const auto& row : table.rows) {
    for (size_t c = 0; c < row.size(); ++c) out += (c ? "," : "") + csv_field(row[c]);
    out += "\n";
  }
  return out;
}

}  // namespace limbic::report
