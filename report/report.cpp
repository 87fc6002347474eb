#include "limbic/report/report.h"

#include <algorithm>

#include "limbic/core/error.h"
#include "limbic/io/png.h"
#include "limbic/report/charts.h"

namespace limbic::report {
namespace {

constexpr const char* style = R"css(
:root { color-scheme: light dark;
  --page: #f7f6f3; --card: #ffffff; --ink: #22242a; --soft: #666b76; --rule: #e3e1db;
  --good: #1c7f4f; --bad: #b3372f; --heat: 59, 91, 219;
  --c0: #3b5bdb; --c1: #e8590c; --c2: #2b8a3e; --c3: #9c36b5; --c4: #0b7285; --c5: #c92a2a;
  --c6: #a67c00; --c7: #5f6670; }
@media (prefers-color-scheme: dark) { :root {
  --page: #16181d; --card: #1f2229; --ink: #e7e8ea; --soft: #a0a6b2; --rule: #343944;
  --good: #5fd39a; --bad: #ff8a80; --heat: 116, 143, 252;
  --c0: #8aa0ff; --c1: #ff9d5c; --c2: #69db7c; --c3: #da8cf0; --c4: #4fd1e0; --c5: #ff8787;
  --c6: #ffd43b; --c7: #adb5bd; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .5rem; letter-spacing: -.02em;
  overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 0 0 .75rem; overflow-wrap: anywhere; }
code { font: .85rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; color: var(--soft);
  overflow-wrap: anywhere; white-space: pre-wrap; }
p { margin: .6rem 0; max-width: 46rem; overflow-wrap: anywhere; }
section, .wide { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 1.25rem 1.4rem; margin: 1.25rem 0; }
.explanation { color: var(--soft); font-size: .92rem; margin: .9rem 0 0; }
.columns { display: grid; gap: 1.25rem; margin: 1.25rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
.columns section { margin: 0; min-width: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.plain { width: 100%; }
.plain th, .plain td { padding: .45rem .75rem .45rem 0; border-bottom: 1px solid var(--rule);
  text-align: left; overflow-wrap: anywhere; }
.plain th { color: var(--soft); font-weight: 500; font-size: .88rem; overflow-wrap: normal; }
.plain .n { text-align: right; }
.big { font-size: 1.15rem; font-weight: 650; white-space: nowrap; }
.gallery { display: grid; gap: .9rem;
  grid-template-columns: repeat(auto-fill, minmax(7.6rem, 1fr)); }
figure { margin: 0; font-size: .84rem; line-height: 1.35; overflow-wrap: anywhere; min-width: 0; }
figure img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 8px; display: block;
  margin-bottom: .35rem; background: var(--rule); }
figure small { color: var(--soft); display: block; } .whole { white-space: nowrap; }
.right { color: var(--good); font-weight: 600; } .wrong { color: var(--bad); font-weight: 600; }
.matrix { font-size: .82rem; }
.matrix th { font-weight: 500; color: var(--soft); padding: .2rem .35rem; text-align: right;
  white-space: nowrap; max-width: 11rem; overflow: hidden; text-overflow: ellipsis; }
.matrix thead th { vertical-align: bottom; text-align: center; }
.matrix thead th span { writing-mode: vertical-rl; transform: rotate(180deg);
  display: inline-block; }
.matrix td { min-width: 1.85rem; height: 2.1rem; text-align: center;
  border: 1px solid var(--card); border-radius: 4px; }
.matrix td.strong { color: #ffffff; } .matrix td.diagonal { font-weight: 700; }
.matrix td.none { color: var(--soft); }
svg { width: 100%; height: auto; display: block; font-family: inherit; }
svg text { fill: var(--ink); font-size: 13px; } svg .tick { fill: var(--soft); font-size: 12px; }
svg .axis { fill: var(--soft); } svg .value { font-weight: 650; }
.columns svg text, .columns svg .tick { font-size: 15px; }
.grid { stroke: var(--rule); stroke-width: 1; }
polyline { fill: none; stroke-width: 2.2; stroke-linejoin: round; }
.dashed polyline { stroke-dasharray: 6 4; }
.whisker { stroke: var(--ink); stroke-width: 1.6; opacity: .65; }
.s0 { stroke: var(--c0); fill: var(--c0); } .s1 { stroke: var(--c1); fill: var(--c1); }
.s2 { stroke: var(--c2); fill: var(--c2); } .s3 { stroke: var(--c3); fill: var(--c3); }
.s4 { stroke: var(--c4); fill: var(--c4); } .s5 { stroke: var(--c5); fill: var(--c5); }
.s6 { stroke: var(--c6); fill: var(--c6); } .s7 { stroke: var(--c7); fill: var(--c7); }
.b0 { fill: var(--c0); background: var(--c0); } .b1 { fill: var(--c1); background: var(--c1); }
.b2 { fill: var(--c2); background: var(--c2); } .b3 { fill: var(--c3); background: var(--c3); }
.b4 { fill: var(--c4); background: var(--c4); } .b5 { fill: var(--c5); background: var(--c5); }
.b6 { fill: var(--c6); background: var(--c6); } .b7 { fill: var(--c7); background: var(--c7); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: .5rem 0 0;
  padding: 0; font-size: .9rem; }
.legend span { display: inline-block; width: .8rem; height: .8rem; border-radius: 3px;
  margin-right: .4rem; }
details { margin-top: .7rem; font-size: .9rem; } summary { cursor: pointer; color: var(--soft); }
)css";

std::string card(const std::string& title, const std::string& body,
                 const std::string& explanation) {
  return "<section>\n<h2>" + escape_html(title) + "</h2>\n" + body + "<p class=\"explanation\">" +
         escape_html(explanation) + "</p>\n</section>\n";
}

std::string chosen(const std::string& own, const char* general) {
  return own.empty() ? general : own;
}

std::string render_headline(const std::vector<Report::Accuracy>& rows) {
  std::string body =
      "<div class=\"scroll\"><table class=\"plain\"><tr><th>what</th><th class=\"n\">accuracy</th>"
      "<th class=\"n\">95 % interval</th><th class=\"n\">pictures</th></tr>\n";
  for (const Report::Accuracy& row : rows) {
    const Interval interval = wilson_interval(row);
    const bool measured = row.samples > 0;
    body += "<tr><td>" + escape_html(row.name) + "</td><td class=\"n big\">" +
            percent_text(row.value) + "</td><td class=\"n\">" +
            (measured ? percent_text(interval.low) + " to " + percent_text(interval.high) : "") +
            "</td><td class=\"n\">" + (measured ? std::to_string(row.samples) : "") +
            "</td></tr>\n";
  }
  return card("How often it was right", body + "</table></div>\n",
              "Accuracy is the part of the pictures whose emotion was named rightly; the interval "
              "says how far chance, in which pictures were asked, may have moved it.");
}

std::string render_gallery(const Report& report) {
  std::string body = "<div class=\"gallery\">\n";
  for (const Report::Sample& sample : report.gallery) {
    const bool right = sample.truth == sample.predicted;
    body += "<figure><img alt=\"" + escape_html(sample.name) + "\" src=\"data:image/png;base64," +
            io::base64(sample.png) + "\"><figcaption><span class=\"" + (right ? "right" : "wrong") +
            "\">" + (right ? "&#10003; " : "&#10007; ") + escape_html(sample.predicted) +
            "</span> <span class=\"whole\">" + percent_text(sample.probability) + "</span>";
    if (!sample.truth.empty()) body += "<small>labelled " + escape_html(sample.truth) + "</small>";
    if (!sample.name.empty()) body += "<small>" + escape_html(sample.name) + "</small>";
    body += "</figcaption></figure>\n";
  }
  return card("Some of the pictures", body + "</div>\n",
              chosen(report.gallery_explanation,
                     "Under each picture stand the predicted emotion with the probability that the "
                     "model gave it, and the label that it should have found."));
}

void check(const Report::Confusion& matrix) {
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

std::string matrix_cell(int64_t count, double part, bool diagonal) {
  std::string classes = diagonal ? "diagonal" : "";
  if (part > 0.55) classes += " strong";
  if (count == 0) classes += " none";
  return "<td class=\"" + classes + "\" style=\"background: rgba(var(--heat), " +
         number_text(0.05 + 0.9 * part, 3) + ")\">" + std::to_string(count) + "</td>";
}

std::string render_confusion(const Report::Confusion& matrix) {
  check(matrix);
  const size_t n = matrix.classes.size();
  std::string body = "<div class=\"scroll\"><table class=\"matrix\"><thead><tr><th></th>";
  for (const std::string& name : matrix.classes)
    body += "<th scope=\"col\"><span>" + escape_html(name) + "</span></th>";
  body += "<th scope=\"col\"><span>found</span></th></tr></thead>\n";
  for (size_t truth = 0; truth < n; ++truth) {
    double sum = 0;
    for (const int64_t count : matrix.counts[truth]) sum += static_cast<double>(count);
    body += "<tr><th scope=\"row\">" + escape_html(matrix.classes[truth]) + "</th>";
    for (size_t predicted = 0; predicted < n; ++predicted) {
      const int64_t count = matrix.counts[truth][predicted];
      body +=
          matrix_cell(count, sum > 0 ? static_cast<double>(count) / sum : 0, truth == predicted);
    }
    const auto right = static_cast<double>(matrix.counts[truth][truth]);
    body += "<th>" + (sum > 0 ? percent_text(right / sum) : "no pictures") + "</th></tr>\n";
  }
  return card(
      matrix.title, body + "</table></div>\n",
      chosen(matrix.explanation,
             "A row holds the pictures of one label, a column those that the model called "
             "so: the diagonal is right, and a dark square beside it is a frequent mistake."));
}

}  // namespace

std::string render_html(const Report& report) {
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n" +
      (report.reload_seconds > 0 ? "<meta http-equiv=\"refresh\" content=\"" +
                                       std::to_string(report.reload_seconds) + "\">\n"
                                 : std::string()) +
      "<title>" + escape_html(report.title) + "</title>\n<style>" + style +
      "</style>\n</head>\n<body>\n" + "<main>\n<h1>" + escape_html(report.title) + "</h1>\n";
  if (!report.subtitle.empty()) page += "<code>" + escape_html(report.subtitle) + "</code>\n";
  for (const std::string& note : report.notes) page += "<p>" + escape_html(note) + "</p>\n";
  if (!report.headline.empty()) page += render_headline(report.headline);
  for (const auto& chart : report.bar_charts)
    page += card(chart.title, render_chart(chart),
                 chosen(chart.explanation,
                        "The longer the bar, the more pictures were named rightly; the thin line "
                        "is the 95 % interval."));
  if (!report.gallery.empty()) page += render_gallery(report);
  if (!report.confusions.empty()) {
    page += "<div class=\"columns\">\n";
    for (const auto& matrix : report.confusions) page += render_confusion(matrix);
    page += "</div>\n";
  }
  if (!report.line_charts.empty()) {
    page += "<div class=\"columns\">\n";
    for (const auto& chart : report.line_charts)
      page += card(chart.title, render_chart(chart),
                   chosen(chart.explanation,
                          "Each point is a measurement, and the lines join those that belong "
                          "together."));
    page += "</div>\n";
  }
  return page + "</main>\n</body>\n</html>\n";
}

}  // namespace limbic::report
