#include "limbic/report/report.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "limbic/core/error.h"
#include "limbic/io/png.h"
#include "limbic/report/charts.h"

using namespace limbic;
using namespace limbic::io;
using namespace limbic::report;

namespace {

bool contains(const std::string& page, const std::string& part) {
  return page.find(part) != std::string::npos;
}

size_t occurrences(const std::string& page, const std::string& part) {
  size_t found = 0;
  for (size_t at = page.find(part); at != std::string::npos; at = page.find(part, at + 1)) ++found;
  return found;
}

Report full_report() {
  Report report{.title = "The demo", .subtitle = "limbic demo --seed 1"};
  report.notes = {"Eight emotions.", "Three networks."};
  report.headline = {{"residual CNN", 0.612, 480}, {"fusion with SVM", 0.7375, 480}};
  report.bar_charts = {{.title = "The parts", .bars = {{"dense CNN", 0.583, 481}}}};
  report.gallery = {{.png = encode_png(Picture(2, 2)),
                     .name = "fear/0001.png",
                     .truth = "fear",
                     .predicted = "fear",
                     .probability = 0.912},
                    {.png = encode_png(Picture(3, 2)),
                     .name = "awe/0007.png",
                     .truth = "awe",
                     .predicted = "sadness",
                     .probability = 0.404}};
  report.confusions = {
      {.title = "The fusion", .classes = {"awe", "fear"}, .counts = {{37, 11}, {5, 43}}}};
  report.line_charts = {
      {.title = "Training",
       .explanation = "Loss falls.",
       .x_label = "epoch",
       .y_label = "loss",
       .series = {{"residual", {{1, 2.079}, {2, 1.534}}}, {"dense", {{1, 2.125}, {2, 0.000123}}}}}};
  return report;
}

}  // namespace

TEST_CASE("every number and name given is on the page") {
  const std::string page = render_html(full_report());
  for (const char* part : {"The demo",
                           "limbic demo --seed 1",
                           "Eight emotions.",
                           "Three networks.",
                           "residual CNN",
                           "61.2 %",
                           "73.8 %",
                           ">480<",
                           "dense CNN",
                           "58.3 %",
                           "fear/0001.png",
                           "91.2 %",
                           "labelled awe",
                           "40.4 %",
                           ">37<",
                           ">11<",
                           ">5<",
                           ">43<",
                           "77.1 %",
                           "89.6 %",
                           "Loss falls.",
                           "epoch",
                           "2.079",
                           "1.534",
                           "2.125",
                           "0.000123"})
    CHECK_MESSAGE(contains(page, part), part);
  CHECK(occurrences(page, "data:image/png;base64,iVBOR") == 2);
  CHECK(occurrences(page, "<polyline") == 2);
  CHECK(occurrences(page, "class=\"right\"") == 1);
  CHECK(occurrences(page, "class=\"wrong\"") == 1);
  // One sentence under each figure: table, bars, gallery, matrix, lines.
  CHECK(occurrences(page, "class=\"explanation\"") == 5);
  CHECK(page == render_html(full_report()));
}

TEST_CASE("the page needs nothing from elsewhere and runs nothing") {
  const std::string page = render_html(full_report());
  for (const char* part :
       {"http:", "https:", "//", "<script", "<link", "@import", "url(", "onload"})
    CHECK_MESSAGE(!contains(page, part), part);
  for (const char* part : {"<!DOCTYPE html>", "charset=\"utf-8\"", "prefers-color-scheme: dark"})
    CHECK_MESSAGE(contains(page, part), part);
}

TEST_CASE("hostile text is shown, not obeyed") {
  const std::string evil = "<script>\"'&</script>\x01\xFF.jpg";
  const std::string shown =
      "&lt;script&gt;&quot;&#39;&amp;&lt;/script&gt;\xEF\xBF\xBD\xEF\xBF\xBD.jpg";
  CHECK(escape_html(evil) == shown);
  Report report;
  report.title = report.subtitle = report.gallery_explanation = evil;
  report.notes = {evil};
  report.headline = {{evil, 0.5, 10}};
  report.bar_charts = {{evil, evil, {{evil, 0.5, 10}}}};
  report.gallery = {{{'"', '>'}, evil, evil, evil, 0.5}};
  report.confusions = {{evil, evil, {evil}, {{1}}}};
  report.line_charts = {{evil, evil, evil, evil, {{evil, {{0, 1}}}}}};
  const std::string page = render_html(report);
  CHECK_FALSE(contains(page, "<script"));
  CHECK_FALSE(contains(page, "\xFF"));
  CHECK_FALSE(contains(page, "\x01"));
  CHECK(occurrences(page, shown) >= 20);
}

TEST_CASE("text: UTF-8 stays, broken UTF-8 is replaced") {
  const std::string good = "gr\u00fc\u00df \u2603 \U0001F600\n";
  CHECK(escape_html(good) == good);
  const std::string r = "\xEF\xBF\xBD";
  CHECK(escape_html("\xC0\xAF") == r + r);          // overlong
  CHECK(escape_html("\xED\xA0\x80") == r + r + r);  // a surrogate
  CHECK(escape_html("\xE2\x98") == r + r);          // cut
  CHECK(escape_html("\xF4\x90\x80\x80x") == r + r + r + r + "x");
  CHECK(escape_html(std::string("a\0b", 3)) == "a" + r + "b");
  CHECK(escape_html("\xC2\x85") == r);  // a C1 control
}

TEST_CASE("numbers") {
  CHECK(number_text(1.5, 2) == "1.5");
  CHECK(number_text(-0.0001, 2) == "0");
  CHECK(number_text(1200, 0) == "1200");
  CHECK(number_text(NAN, 2) == "n/a");
  CHECK(percent_text(0.6406) == "64.1 %");
  CHECK(percent_text(1) == "100.0 %");
  // 60 of 100: 0.502 to 0.691 (Wilson, 95 %).
  const Interval interval = wilson_interval({"", 0.6, 100});
  CHECK(interval.low == doctest::Approx(0.5020).epsilon(1e-3));
  CHECK(interval.high == doctest::Approx(0.6906).epsilon(1e-3));
}

TEST_CASE("matrices: empty rows are said so, wrong shapes are refused") {
  Report report;
  report.confusions = {{.title = "m", .classes = {"awe", "fear"}, .counts = {{4, 0}, {0, 0}}}};
  const std::string page = render_html(report);
  CHECK(contains(page, "100.0 %"));
  CHECK(contains(page, "no pictures"));
  CHECK_FALSE(contains(page, "nan"));
  report.confusions = {{.title = "none"}};
  CHECK(contains(render_html(report), "none"));
  report.confusions = {{.title = "m", .classes = {"awe"}, .counts = {{1, 2}}}};
  CHECK_THROWS_AS(render_html(report), Error);
  report.confusions = {{.title = "m", .classes = {"awe"}}};
  CHECK_THROWS_AS(render_html(report), Error);
  report.confusions = {{.title = "m", .classes = {"awe"}, .counts = {{-1}}}};
  CHECK_THROWS_AS(render_html(report), Error);
}

TEST_CASE("charts of nothing, of one point and of absurd ones are drawn without nonsense") {
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<std::vector<Report::Location>> cases{{},
                                                         {{3, 0.5}},
                                                         {{0, 0}},
                                                         {{NAN, 1}, {1, inf}, {2, 2}},
                                                         {{1, 1e300}, {2, -1e300}},
                                                         {{1, 1e99}, {2, -1e99}},
                                                         {{1, 5}, {2, 5}},
                                                         {{1e-14, 0}, {2e-14, 1}}};
  for (const auto& points : cases) {
    Report report;
    report.line_charts = {{.title = "c", .series = {{"s", points}}}};
    report.bar_charts = {{.title = "b", .bars = {{"x", NAN, 3}, {"y", 7, 0}, {"z", -1, 2}}}};
    const std::string page = render_html(report);
    CHECK_FALSE(contains(page, "nan"));
    CHECK_FALSE(contains(page, "inf"));
    CHECK(page.size() < 100000);
  }
}

TEST_CASE("a line's points lie within its chart, the larger above") {
  Report report;
  report.line_charts = {{.title = "c", .series = {{"s", {{0, 40}, {1, 10}, {2, 90}, {3, 70}}}}}};
  const std::string page = render_html(report);
  const size_t at = page.find("<polyline"), from = page.find("points=\"", at) + 8;
  REQUIRE(at != std::string::npos);
  std::istringstream points(page.substr(from, page.find('"', from) - from));
  std::vector<double> x, y;
  char comma = 0;
  for (double px = 0, py = 0; points >> px >> comma >> py;) x.push_back(px), y.push_back(py);
  REQUIRE(x.size() == 4);
  CHECK(std::is_sorted(x.begin(), x.end()));
  CHECK((y[2] < y[3] && y[3] < y[0] && y[0] < y[1]));
  for (size_t i = 0; i < 4; ++i) {
    CHECK((x[i] >= 62 && x[i] <= 622));
    CHECK((y[i] >= 0 && y[i] <= 300));
  }
}

TEST_CASE("an empty report is a page") { CHECK(contains(render_html({}), "</html>")); }
