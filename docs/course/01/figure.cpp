// A digit, one corner of it as numbers, and where the numbers lie in memory.
#include "docs/course/svg.h"
#include "reference/glyphs.h"

using namespace limbic::course;
using namespace limbic::reference;

int main() {
  Random random(4);
  const Array image = draw_glyphs(1, random).images;
  Svg svg({680, 330});
  svg.text({20, 24}, "28 x 28 pixels");
  svg.picture({20, 35}, image, 9);
  const int64_t top = 11, left = 13, side = 6;
  svg.box({20 + left * 9.0, 35 + top * 9.0}, {side * 9.0, side * 9.0}, "none", {orange, 2.5});
  svg.text({320, 24}, "the marked 6 x 6 as numbers");
  for (int64_t y = 0; y < side; ++y)
    for (int64_t x = 0; x < side; ++x)
      svg.text({360 + 55.0 * static_cast<double>(x), 60 + 27.0 * static_cast<double>(y)},
               Svg::number(image.at(0, 0, top + y, left + x)), {.size = 14, .anchor = "end"});
  svg.text({320, 235}, "in memory, row behind row:");
  for (int64_t i = 0; i < 6; ++i) {
    const Point corner{320 + 55.0 * static_cast<double>(i), 245};
    svg.box(corner, {55, 30}, "#f4f4f4", {grey, 1});
    svg.text({corner.x + 27, corner.y + 20}, Svg::number(image.at(0, 0, top, left + i)),
             {.anchor = "middle"});
    svg.text({corner.x + 27, corner.y + 48}, std::to_string(image.index(0, 0, top, left + i)),
             {.size = 11, .anchor = "middle", .colour = grey});
  }
  svg.text({320, 316}, "index = ((n C + c) H + y) W + x", {.colour = grey});
  svg.print();
}
