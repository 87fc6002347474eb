// The page.
#include <algorithm>
#include <cmath>

#include "limbic/io/png.h"
#include "limbic/io/utf8.h"
#include "limbic/report/charts.h"
#include "limbic/report/style.h"

namespace limbic::report {
namespace {

// Text with paths in it, which may be broken where their parts end.
std::string breakable(const std::string& text) {
  std::string out;
  for (const char c : escape_html(text)) {
    out += c;
    if (c == '/' || c == '_') out += "<wbr>";
  }
  return out;
}

// A command line: lines break between its words, where they can.
std::string render_command(const std::string& text) {
  std::string out = "<code>";
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    out += "<span>" + escape_html(std::string_view(text).substr(at, end - at)) + "</span>";
    if (end < text.size()) out += ' ';
    at = end + 1;
  }
  return out + "</code>\n";
}

std::string card(const std::string& title, const std::string& body, const std::string& explanation,
                 const char* attributes = "") {
  std::string out = std::string("<section") + attributes + ">\n";
  if (!title.empty()) out += "<h2>" + escape_html(title) + "</h2>\n";
  out += body;
  if (!explanation.empty())
    out += "<p class=\"explanation\">" + escape_html(explanation) + "</p>\n";
  return out + "</section>\n";
}

std::string chosen(const std::string& own, const char* general) {
  return own.empty() ? general : own;
}

size_t length(std::string_view text) {
  size_t out = 0;
  for (; !text.empty(); ++out) text.remove_prefix(std::max<size_t>(io::utf8_length(text), 1));
  return out;
}

size_t longest_word(std::string_view text) {
  size_t longest = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    longest = std::max(longest, length(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return longest;
}

// From which window's width on a table's rows are stacked: none, 1 (narrow), 2 or 3 (always).
std::string stacking(const Report::Table& table) {
  double width = 0;  // in pixels: about what columns want
  for (size_t c = 0; c < table.columns.size(); ++c) {
    const bool numeric = table.columns[c].numeric;
    size_t most = longest_word(table.columns[c].name);
    for (const auto& row : table.rows)
      most = std::max(most, numeric ? std::min<size_t>(length(row[c]), 24)
                                    : std::min<size_t>(longest_word(row[c]), 24));
    if (!numeric) most = std::max<size_t>(most, 10);
    width += 8.6 * static_cast<double>(most) + 16;
  }
  if (table.columns.size() < 2) return "";
  return width > 930 ? " stack3" : width > 640 ? " stack2" : width > 325 ? " stack1" : "";
}

std::string rows(const Report::Table& table) {
  std::string out;
  const auto best = [&](size_t r, size_t c) {
    return std::ranges::any_of(table.emphasis,
                               [&](const Report::Place& p) { return p.row == r && p.column == c; });
  };
  for (size_t r = 0; r < table.rows.size(); ++r) {
    out += "<tr role=\"row\">";
    for (size_t c = 0; c < table.columns.size(); ++c) {
      const std::string& text = table.rows[r][c];
      const size_t characters = length(text);
      const bool numeric = table.columns[c].numeric;
      std::string classes = numeric ? "n" : "t";  // and how much room it needs where it is stacked
      if (longest_word(text) > 24 || (numeric && characters > 24)) classes += " long";
      if (numeric && characters > 7) classes += characters > 24 ? " t" : " two";
      if (c == 0 && characters < 8 && length(table.columns[0].name) < 13) classes += " key";
      if (text.empty()) classes += " empty";
      if (best(r, c)) classes += " best";
      out += "<td role=\"cell\" class=\"" + classes + "\" data-head=\"" +
             escape_html(table.columns[c].name) + "\">" + escape_html(text) + "</td>";
    }
    out += "</tr>\n";
  }
  return out;
}

std::string render_rows(const Report::Table& table, const char* kind = "") {
  std::string out = "<table role=\"table\" class=\"plain" + stacking(table) + kind +
                    "\"><thead role=\"rowgroup\">"
                    "<tr role=\"row\">";
  for (const Report::Column& column : table.columns) {
    const bool is_long = longest_word(column.name) > 24;
    out += std::string("<th role=\"columnheader\" scope=\"col\" class=\"") +
           (column.numeric ? "n" : "t") + (is_long ? " long\">" : "\">") +
           escape_html(column.name) + "</th>";
  }
  return out + "</tr></thead>\n<tbody role=\"rowgroup\">\n" + rows(table) + "</tbody></table>\n";
}

std::string render_table(const Report::Table& table) {
  std::string body = render_rows(table);
  for (const std::string& note : table.footnotes)
    body += "<p class=\"footnote\">" + escape_html(note) + "</p>\n";
  return card(table.title, body, table.explanation, " class=\"breaks\"");
}

std::string render_headline(const Report::Headline& headline) {
  return card(chosen(headline.title, "How often it was right"),
              render_rows(table_of(headline), " big"),
              chosen(headline.explanation,
                     "Accuracy is the part of the pictures whose emotion was named rightly; the "
                     "interval says how far chance, in which pictures were asked, may have moved "
                     "it."));
}

std::string render_sample(const Report::Sample& sample) {
  const bool right = sample.truth == sample.predicted;
  std::string out = "<figure><img alt=\"" + escape_html(sample.name) +
                    "\" src=\"data:image/png;base64," + io::base64(sample.png) +
                    "\"><figcaption><span class=\"" + (right ? "right" : "wrong") + "\">" +
                    (right ? "&#10003; " : "&#10007; ") + escape_html(sample.predicted) +
                    "</span> <span class=\"whole\">" + percent_text(sample.probability) + "</span>";
  if (!sample.truth.empty()) out += "<small>labelled " + escape_html(sample.truth) + "</small>";
  if (!sample.name.empty()) out += "<small>" + breakable(sample.name) + "</small>";
  return out + "</figcaption></figure>\n";
}

std::string render_gallery(const Report::Gallery& gallery) {
  std::string body = "<div class=\"gallery\">\n";
  for (const Report::Sample& sample : gallery.samples) body += render_sample(sample);
  return card(chosen(gallery.title, "Some of the pictures"), body + "</div>\n",
              chosen(gallery.explanation,
                     "Under each picture stand the predicted emotion with the probability that the "
                     "model gave it, and the label that it should have found."),
              " class=\"breaks\"");
}

std::string matrix_row(const Report::Confusion& matrix, size_t truth) {
  int64_t sum = 0;
  for (const int64_t count : matrix.counts[truth]) sum += count;
  std::string out = "<tr><th scope=\"row\">" + escape_html(matrix.classes[truth]) + "</th>";
  for (size_t c = 0; c < matrix.classes.size(); ++c) {
    const int64_t count = matrix.counts[truth][c];
    const double part = sum > 0 ? static_cast<double>(count) / static_cast<double>(sum) : 0;
    const auto shown = std::lround(100 * part);
    out += "<td class=\"h" + std::to_string(std::lround(8 * part)) + (truth == c ? " d" : "") +
           (count == 0 ? " z" : "") + "\" title=\"" + std::to_string(count) + " of " +
           std::to_string(sum) + "\">" +
           (sum == 0                  ? ""
            : count > 0 && shown == 0 ? "&lt;1"
                                      : std::to_string(shown)) +
           "</td>";
  }
  return out + "<th>" + (sum > 0 ? std::to_string(sum) : "none") + "</th></tr>\n";
}

std::string render_confusion(const Report::Confusion& matrix) {
  const size_t n = matrix.classes.size();
  std::string body =
      n > 8 ? std::string("<p class=\"hint ") + (n > 30 ? "always" : "narrow") +
                  "\">The matrix goes on to the right: scroll it sideways.</p>\n"
                  "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" +
                  escape_html(matrix.title) + "\">"
            : std::string("<div>");
  size_t head = 4;  // of the rows
  for (const std::string& name : matrix.classes) head = std::max(head, longest_word(name));
  body += "<table class=\"matrix\" style=\"--head:" + std::to_string(std::min<size_t>(head, 14)) +
          "ch\"><thead><tr><td></td>";
  for (const std::string& name : matrix.classes)
    body += "<th scope=\"col\"><span>" + escape_html(name) + "</span></th>";
  body += "<th scope=\"col\"><span>pictures</span></th></tr></thead>\n<tbody>\n";
  for (size_t truth = 0; truth < n; ++truth) body += matrix_row(matrix, truth);
  return card(matrix.title, body + "</tbody></table></div>\n",
              chosen(matrix.explanation,
                     "A row holds the pictures of one label, a column those that the model called "
                     "so, in per cent of the row: the diagonal is right, and a dark square beside "
                     "it is a frequent mistake."),
              n > 12 ? " class=\"whole-row\"" : "");
}

std::string render_chart(const Report::LineChart& chart, bool alone) {
  Report::Table numbers = table_of(chart);
  return card(
      chart.title,
      render_lines(chart, alone) + "<details><summary>The numbers</summary>\n" +
          render_rows(numbers) + "</details>\n",
      chosen(chart.explanation,
             "Each point is a measurement, and the lines join those that belong together."));
}

std::string render_bar_chart(const Report::BarChart& chart) {
  return card(chart.title, render_bars(chart),
              chosen(chart.explanation,
                     "The longer the bar, the more pictures were named rightly; the thin line is "
                     "the 95 % interval."));
}

std::string render_notes(const Report::Paragraphs& notes) {
  std::string out;
  for (const std::string& text : notes.texts) out += "<p>" + escape_html(text) + "</p>\n";
  return out;
}

std::string render_section(const Report::Section& section, bool alone) {
  check(section);
  return std::visit(Overloaded{[](const Report::Paragraphs& s) { return render_notes(s); },
                               [](const Report::Headline& s) { return render_headline(s); },
                               [](const Report::Table& s) { return render_table(s); },
                               [](const Report::BarChart& s) { return render_bar_chart(s); },
                               [&](const Report::LineChart& s) { return render_chart(s, alone); },
                               [](const Report::Confusion& s) { return render_confusion(s); },
                               [](const Report::Gallery& s) { return render_gallery(s); },
                               [](const Report::Figure& s) {
                                 return card(s.title,
                                             "<div class=\"drawing\">" + s.svg + "</div>\n",
                                             s.explanation);
                               }},
                    section);
}

// Matrices and line charts that follow each other stand side by side.
bool is_half(const Report::Section& s) {
  return std::holds_alternative<Report::Confusion>(s) ||
         std::holds_alternative<Report::LineChart>(s);
}

std::string render_sections(const std::vector<Report::Section>& all) {
  std::vector<const Report::Section*> shown;
  for (const Report::Section& section : all)
    if (!is_empty(section)) shown.push_back(&section);
  std::string out;
  for (size_t i = 0; i < shown.size();) {
    size_t end = i + 1;
    while (is_half(*shown[i]) && end < shown.size() && shown[end]->index() == shown[i]->index())
      ++end;
    const bool alone = end == i + 1;
    if (!alone) out += "<div class=\"columns\">\n";
    for (; i < end; ++i) out += render_section(*shown[i], alone);
    if (!alone) out += "</div>\n";
  }
  return out;
}

}  // namespace

std::string render_html(const Report& report) {
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n" +
      (report.reload_seconds > 0 ? "<meta http-equiv=\"refresh\" content=\"" +
                                       std::to_string(report.reload_seconds) + "\">\n"
                                 : std::string()) +
      "<title>" + escape_html(report.title) + "</title>\n<style>" + page_style() +
      "</style>\n</head>\n<body>\n<main>\n<h1>" + breakable(report.title) + "</h1>\n";
  if (!report.subtitle.empty()) page += render_command(report.subtitle);
  return page + render_sections(report.sections) + "</main>\n</body>\n</html>\n";
}

}  // namespace limbic::report
