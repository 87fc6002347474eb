#include "limbic/report/heat_map.h"

#include <doctest/doctest.h>

#include <regex>
#include <set>

#include "limbic/core/file.h"
#include "tests/temporary.h"

using namespace limbic;
using namespace limbic::report;

namespace {

struct Cell {
  std::string text_colour, colour, per_cent;
  double x, y, width, height;
  bool framed;
};

struct Drawn {
  std::string svg;
  double width, height;
  std::vector<Cell> cells;
};

Drawn draw(const HeatMap& map) {
  const testing::TemporaryFolder folder;
  write_heat_map(folder / "map.svg", map);
  const auto bytes = read_file(folder / "map.svg");
  Drawn out{.svg = {bytes.begin(), bytes.end()}, .width = 0, .height = 0, .cells = {}};
  std::smatch size;
  REQUIRE(
      std::regex_search(out.svg, size, std::regex("<svg[^>]* width=\"(\\S+)\" height=\"(\\S+)\"")));
  out.width = std::stod(size[1]);
  out.height = std::stod(size[2]);
  const std::regex cell(
      "<g fill=\"(\\w+)\"><rect x=\"(\\S+)\" y=\"(\\S+)\" width=\"(\\S+)\" height=\"(\\S+)\" "
      "fill=\"(\\S+)\"( stroke=[^/]*)?/><text[^>]*>([^<]*)</text>");
  for (std::sregex_iterator it(out.svg.begin(), out.svg.end(), cell), end; it != end; ++it)
    out.cells.push_back({.text_colour = (*it)[1],
                         .colour = (*it)[6],
                         .per_cent = (*it)[8],
                         .x = std::stod((*it)[2]),
                         .y = std::stod((*it)[3]),
                         .width = std::stod((*it)[4]),
                         .height = std::stod((*it)[5]),
                         .framed = (*it)[7].length() > 0});
  return out;
}

}  // namespace

TEST_CASE("heat map: a cell for each value, in its place, with its colour, its number, its frame") {
  const Drawn map = draw({.title = "C < 1 & gamma > 2",
                          .x_label = "across",
                          .y_label = "down",
                          .x = {1, 2, 3},
                          .y = {10, 0.001},
                          .values = {0, 0.5, 1, 0.25, 0.6, 1}});
  REQUIRE(map.cells.size() == 6);
  const std::vector<std::string> per_cent = {"0", "50", "100", "25", "60", "100"};
  for (size_t i = 0; i < 6; ++i) {
    const Cell& cell = map.cells[i];
    CAPTURE(i);
    CHECK(cell.per_cent == per_cent[i]);
    CHECK(cell.framed == (per_cent[i] == "100"));
    CHECK(cell.text_colour == (i == 2 || i >= 4 ? "black" : "white"));  // black from 0.6 on
    CHECK((cell.width > 0 && cell.height > 0 && cell.x > 0 && cell.y > 0));
    CHECK((cell.x + cell.width < map.width && cell.y + cell.height < map.height));
    // Columns from left to right, rows from top to bottom, none over another.
    const Cell &first = map.cells[i / 3 * 3], &above = map.cells[i % 3];
    CHECK(cell.y == first.y);
    CHECK(cell.x == above.x);
    if (i % 3 > 0) CHECK(cell.x >= map.cells[i - 1].x + cell.width);
    if (i >= 3) CHECK(cell.y >= above.y + cell.height);
  }
  CHECK(map.cells[0].colour == "rgb(68,1,84)");  // matplotlib's viridis: its ends and its middle
  CHECK(map.cells[1].colour == "rgb(33,145,140)");
  CHECK(map.cells[2].colour == "rgb(253,231,37)");
  CHECK(map.cells[3].colour == "rgb(51,73,112)");  // half of the way between the first two
  size_t texts = 0;  // 3 names, 6 cells, 3 columns, 2 rows, and no other
  for (size_t at = 0; (at = map.svg.find("<text", at)) != std::string::npos; ++at) ++texts;
  CHECK(texts == 14);
  for (const char* text :
       {"C &lt; 1 &amp; gamma &gt; 2", "across", "down", ">1<", ">2<", ">3<", ">10<", ">0.001<"}) {
    CAPTURE(text);
    CHECK(map.svg.find(text) != std::string::npos);
  }
}

TEST_CASE("heat map: equal values are all the largest; what is no table is refused") {
  const Drawn map = draw({.x = {1, 2}, .y = {1}, .values = {0.1234, 0.1234}});
  REQUIRE(map.cells.size() == 2);
  for (const Cell& cell : map.cells) {
    CHECK(cell.framed);
    CHECK(cell.per_cent == "12.3");
    CHECK(cell.colour == "rgb(253,231,37)");
  }
  CHECK_THROWS_AS(draw({.x = {1, 2}, .y = {1}, .values = {1}}), Error);
  CHECK_THROWS_AS(draw({.x = {1}, .y = {1}, .values = {1, 2}}), Error);
  CHECK_THROWS_AS(draw({.x = {}, .y = {}, .values = {}}), Error);
}

TEST_CASE("heat map: names of any bytes leave a picture that XML allows, as on the page") {
  const Drawn map = draw({.title = "a\x01"
                                   "b \xff \"c\" 'd'",
                          .x = {1},
                          .y = {1},
                          .values = {1}});
  CHECK(map.svg.find("a\uFFFDb \uFFFD &quot;c&quot; &#39;d&#39;") != std::string::npos);
}
