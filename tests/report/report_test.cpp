#include "limbic/report/report.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "limbic/core/error.h"
#include "limbic/io/png.h"
#include "limbic/report/charts.h"
#include "limbic/report/text.h"
#include "tests/text.h"

using namespace limbic;
using namespace limbic::io;
using namespace limbic::report;
using limbic::testing::contains;

namespace {

size_t occurrences(const std::string& page, const std::string& part) {
  size_t found = 0;
  for (size_t at = page.find(part); at != std::string::npos; at = page.find(part, at + 1)) ++found;
  return found;
}

Report full_report() {
  Report report{.title = "The demo", .subtitle = "limbic demo --seed 1", .sections = {}};
  report.add(Report::Paragraphs{{"Eight emotions.", "Three networks."}});
  report.add(Report::Headline{{{"residual CNN", 0.612, 480}, {"fusion with SVM", 0.7375, 480}}});
  report.add(Report::BarChart{"The parts", "", {{"dense CNN", 0.583, 481}}});
  report.add(Report::Gallery{{{.png = encode_png(Picture(2, 2)),
                               .name = "fear 1.png",
                               .truth = "fear",
                               .predicted = "fear",
                               .probability = 0.912},
                              {.png = encode_png(Picture(3, 2)),
                               .name = "awe 7.png",
                               .truth = "awe",
                               .predicted = "sadness",
                               .probability = 0.404}}});
  report.add(Report::Confusion{"The fusion", "", {"awe", "fear"}, {{37, 11}, {5, 43}}});
  report.add(Report::LineChart{
      .title = "Training",
      .explanation = "Loss falls.",
      .x_label = "epoch",
      .y_label = "loss",
      .series = {{"residual", {{1, 2.079}, {2, 1.534}}}, {"dense", {{1, 2.125}, {2, 0.000123}}}}});
  report.add(Report::Table{.title = "Table 2",
                           .explanation = "In per cent.",
                           .columns = {{"alpha"}, {"C 1", true}},
                           .rows = {{"0.5", "70.1"}, {"1", "69.8"}},
                           .emphasis = {{0, 1}},
                           .footnotes = {"As published."}});
  return report;
}

Report of(Report::Section section) {
  Report report;
  report.add(std::move(section));
  return report;
}

}  // namespace

TEST_CASE("every number and name given is on the page") {
  const std::string page = render_html(full_report());
  for (const char* part : {"The demo",
                           "<span>--seed</span> <span>1</span>",
                           "Eight emotions.",
                           "Three networks.",
                           "residual CNN",
                           "61.2 %",
                           "73.8 %",
                           ">480<",
                           "dense CNN",
                           "58.3 %",
                           "fear 1.png",
                           "91.2 %",
                           "labelled awe",
                           "40.4 %",
                           "title=\"37 of 48\">77<",
                           "title=\"11 of 48\">23<",
                           "title=\"5 of 48\">10<",
                           "title=\"43 of 48\">90<",
                           "class=\"n best\" data-head=\"C 1\">70.1<",
                           "As published.",
                           "Loss falls.",
                           "epoch",
                           "2.079",
                           "1.534",
                           "2.125",
                           "0.000123"})
    CHECK_MESSAGE(contains(page, part), part);
  CHECK(occurrences(page, "data:image/png;base64,iVBOR") == 2);
  CHECK(occurrences(page, "<polyline") == 4);  // for wide windows and for narrow ones
  CHECK(occurrences(page, "class=\"right\"") == 1);
  CHECK(occurrences(page, "class=\"wrong\"") == 1);
  // One sentence under each: accuracies, bars, gallery, matrix, lines, table.
  CHECK(occurrences(page, "class=\"explanation\"") == 6);
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
  Report report{.title = evil, .subtitle = evil, .sections = {}};
  report.add(Report::Paragraphs{{evil}});
  report.add(Report::Headline{{{evil, 0.5, 10}}, evil, evil});
  report.add(Report::BarChart{evil, evil, {{evil, 0.5, 10}}});
  report.add(Report::Gallery{{{{'"', '>'}, evil, evil, evil, 0.5}}, evil, evil});
  report.add(Report::Confusion{evil, evil, {evil}, {{1}}});
  report.add(Report::LineChart{evil, evil, evil, evil, {{evil, {{0, 1}}}}});
  report.add(Report::Table{evil, evil, {{evil}, {evil, true}}, {{evil, evil}}, {{0, 0}}, {evil}});
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
  const auto interval = interval_of({"", 0.6, 100});
  REQUIRE(interval);
  CHECK(interval->low == doctest::Approx(0.5020).epsilon(1e-3));
  CHECK(interval->high == doctest::Approx(0.6906).epsilon(1e-3));
  CHECK(interval_text({"", 0.6, 100, Report::Interval{0.5, 0.65}}) == "50.0 % to 65.0 %");
  CHECK(interval_text({"", 0.6, 0}) == "");
  CHECK(interval_text({"", NAN, 9}) == "");
}

TEST_CASE("matrices: empty rows are said so, wrong shapes are refused") {
  const auto page = [](std::vector<std::string> classes, std::vector<std::vector<int64_t>> counts) {
    return render_html(of(Report::Confusion{"m", "", std::move(classes), std::move(counts)}));
  };
  const std::string two = page({"awe", "fear"}, {{400, 1}, {0, 0}});
  CHECK(contains(two, ">100<"));
  CHECK(contains(two, ">&lt;1<"));
  CHECK(contains(two, "<th>none</th>"));
  CHECK_FALSE(contains(two, "nan"));
  CHECK(contains(page({}, {}), "matrix"));
  CHECK_THROWS_AS(page({"awe"}, {{1, 2}}), Error);
  CHECK_THROWS_AS(page({"awe"}, {}), Error);
  CHECK_THROWS_AS(page({"awe"}, {{-1}}), Error);
}

TEST_CASE("tables and bands that do not fit are refused") {
  const Report table = of(Report::Table{"t", "", {{"a"}, {"b"}}, {{"1"}}});
  CHECK_THROWS_AS(render_html(table), Error);
  CHECK_THROWS_AS(render_markdown(table), Error);
  CHECK_THROWS_AS(render_latex(table), Error);
  CHECK_THROWS_AS(render_csv(std::get<Report::Table>(table.sections[0])), Error);
  CHECK_THROWS_AS(render_html(of(Report::LineChart{"c", "", "", "", {{"s", {{1, 2}}, {1}, {}}}})),
                  Error);
  CHECK_THROWS_AS(
      tables_of(of(Report::LineChart{"c", "", "", "", {{"s", {{1, 2}}, {1, 2}, {1, 2}}}})), Error);
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
    Report report = of(Report::LineChart{"c", "", "", "", {{"s", points}}});
    report.add(Report::BarChart{"b", "", {{"x", NAN, 3}, {"y", 7, 0}, {"z", -1, 2}}});
    const std::string page = render_html(report);
    CHECK_FALSE(contains(page, "nan"));
    CHECK_FALSE(contains(page, "inf"));
    CHECK(page.size() < 100000);
  }
}

TEST_CASE("a line's points lie within its chart, the larger above") {
  const std::string page = render_html(
      of(Report::LineChart{"c", "", "", "", {{"s", {{0, 40}, {1, 10}, {2, 90}, {3, 70}}}}}));
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
    CHECK((x[i] >= 20 && x[i] <= 880));
    CHECK((y[i] >= 0 && y[i] <= 320));
  }
}

TEST_CASE("an empty report is a page") { CHECK(contains(render_html({}), "</html>")); }

TEST_CASE("axes: whole epochs, the alphas themselves, round numbers") {
  std::vector<double> epochs;
  for (int e = 1; e <= 12; ++e) epochs.push_back(e);
  CHECK(axis_over(epochs).ticks == std::vector<double>{2, 4, 6, 8, 10, 12});
  CHECK(axis_over({1, 2, 3}).ticks == std::vector<double>{1, 2, 3});
  CHECK(axis_over({1}).ticks == std::vector<double>{0, 1, 2});
  for (int last = 1; last < 200; ++last) {
    const Axis axis = axis_over([&] {
      std::vector<double> all;
      for (int e = 1; e <= last; ++e) all.push_back(e);
      return all;
    }());
    CHECK((axis.ticks.size() >= 2 && axis.ticks.size() <= 8));
    for (const double tick : axis.ticks) CHECK(tick == std::floor(tick));
  }
  CHECK(axis_over({0, 0.25, 0.5, 0.75, 1, 0.5}).ticks ==
        std::vector<double>{0, 0.25, 0.5, 0.75, 1});
  CHECK(axis_over({0, 0.001, 1}).ticks.size() > 3);   // two of these would stand over each other
  CHECK(axis_over({1e-14, 2e-14}).ticks.size() > 3);  // in three digits both would be 0
  const Axis axis = axis_of({0.61, 0.74});
  CHECK(axis.low <= 0.61);
  CHECK(axis.high >= 0.74);
}

TEST_CASE("bands, the diagonal, and what has nothing in it") {
  Report::LineChart chart{"c", "", "x", "y", {{"s", {{0, 0.2}, {1, 0.9}}, {0.1, 0.8}, {0.3, 1}}},
                          true};
  const std::string page = render_html(of(chart));
  CHECK(occurrences(page, "class=\"band s0\"") == 2);
  CHECK(occurrences(page, "class=\"diagonal\"") == 2);
  Report nothing = of(Report::Paragraphs{});
  nothing.add(Report::Headline{});
  nothing.add(Report::Gallery{});
  nothing.add(Report::Table{});
  CHECK_FALSE(contains(render_html(nothing), "<section"));
  CHECK(render_markdown(nothing) == "");
  CHECK(tables_of(nothing).empty());
}
