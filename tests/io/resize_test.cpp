#include "limbic/io/resize.h"

#include <doctest/doctest.h>

#include <cstring>

#include "tests/io/pictures.h"

using namespace limbic;
using namespace limbic::io;
using namespace limbic::testing;

namespace {

// The generator of tests/goldens/make_resize_goldens.py.
Picture golden_source(uint64_t index, int64_t height, int64_t width) {
  Picture picture(height, width);
  for (size_t i = 0; i < picture.pixels.size(); ++i) {
    uint64_t z = index * 0x9E3779B97F4A7C15 + i * 0xBF58476D1CE4E5B9 + 1;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    const uint64_t value = (z ^ (z >> 31)) & 255;
    picture.pixels[i] = static_cast<uint8_t>(index % 3 != 0 ? value : value < 128 ? 0 : 255);
  }
  return picture;
}

}  // namespace

TEST_CASE("resize: equal to Pillow, every filter") {
  const std::vector<uint8_t> bytes = read_file(golden("resize.bin"));
  size_t at = 0;
  uint64_t index = 0;
  for (; at < bytes.size(); ++index) {
    int32_t header[5];
    std::memcpy(header, &bytes[at], sizeof header);
    at += sizeof header;
    const Filter filter = static_cast<Filter>(header[0]);
    const Picture result = resize(golden_source(index, header[1], header[2]),
                                  {.height = header[3], .width = header[4], .filter = filter});
    CAPTURE(to_string(filter));
    CAPTURE(index);
    REQUIRE(result.pixels.size() <= bytes.size() - at);
    CHECK(std::equal(result.pixels.begin(), result.pixels.end(),
                     bytes.begin() + static_cast<std::ptrdiff_t>(at)));
    at += result.pixels.size();
  }
  CHECK(index == 75);
}

TEST_CASE("resize: a source region is a crop before, a part is a crop after") {
  const Picture src = random_picture(61, 83, 7);
  for (const Filter filter :
       {Filter::nearest, Filter::box, Filter::bilinear, Filter::bicubic, Filter::lanczos}) {
    CAPTURE(to_string(filter));
    const Region source{5, 9, 40, 51};
    CHECK(resize(src, {.height = 23, .width = 67, .filter = filter, .source = source}) ==
          resize(crop(src, source), {.height = 23, .width = 67, .filter = filter}));
    const Region part{3, 4, 11, 17};
    for (const auto& [height, width] : {std::pair<int64_t, int64_t>{23, 31}, {61, 31}, {100, 83}})
      CHECK(resize(src, {.height = height, .width = width, .filter = filter, .part = part}) ==
            crop(resize(src, {.height = height, .width = width, .filter = filter}), part));
  }
}

TEST_CASE("resize: Pillow 13 goes down first where the height shrinks most") {
  const Picture src = random_picture(90, 40, 3);
  for (const Filter filter : {Filter::box, Filter::bilinear, Filter::bicubic, Filter::lanczos}) {
    CAPTURE(to_string(filter));
    const auto to = [&](const Picture& from, int64_t height, int64_t width, PassOrder order) {
      return resize(from, {.height = height, .width = width, .filter = filter, .order = order});
    };
    const auto old = PassOrder::horizontal_first, now = PassOrder::pillow_13;
    CHECK(to(src, 30, 60, now) == to(to(src, 30, 40, old), 30, 60, old));
    CHECK(to(src, 30, 60, old) == to(to(src, 90, 60, old), 30, 60, old));
    if (filter != Filter::box)  // whose enlarging only repeats
      CHECK(to(src, 30, 60, now) != to(src, 30, 60, old));
    CHECK(to(src, 80, 35, now) == to(src, 80, 35, old));  // 10 rows less is not more than 2 x 5
    const Region part{3, 4, 11, 17};
    CHECK(resize(src, {.height = 30, .width = 60, .filter = filter, .order = now, .part = part}) ==
          crop(to(src, 30, 60, now), part));
  }
}

TEST_CASE("resize: extreme proportions and refusals") {
  CHECK(resize(random_picture(10, 20000, 1), {.height = 3, .width = 7}).width == 7);
  CHECK(resize(Picture(1, 1), {.height = 300, .width = 2}).height == 300);
  CHECK_THROWS_AS(resize(Picture(4, 4), {.height = 0, .width = 2}), Error);
  CHECK_THROWS_AS(resize(Picture(), {.height = 2, .width = 2}), Error);
  CHECK_THROWS_AS(resize(Picture(4, 4), {.height = 2, .width = 2, .source = Region{0, 1, 4, 4}}),
                  Error);
  CHECK(error_of([] { filter_from("cubic"); }).find("bicubic") != std::string::npos);
}
