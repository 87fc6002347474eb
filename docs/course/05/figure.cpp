// A dense block in one array: what each layer reads and appends.
#include "docs/course/svg.h"

using namespace limbic::course;

int main() {
  const int first = 64, growth = 32, layers = 4;
  const char* colours[] = {"#c9ced6", "#9cc3e6", "#8fd0a5", "#f2c08a", "#d9a6d6"};
  Svg svg({700, 330});
  const double bottom = 270, height = 1.0, width = 46, step = 130;
  for (int column = 0; column <= layers; ++column) {
    const double left = 40 + step * column;
    double top = bottom;
    for (int part = 0; part <= column; ++part) {
      const double channels = part == 0 ? first : growth;
      top -= channels * height;
      svg.box({left, top}, {width, channels * height}, colours[part], {"#fff", 1});
      svg.text({left + width / 2, top + channels * height / 2 + 5},
               part == 0 ? "src" : "y" + std::to_string(part - 1), {.anchor = "middle"});
    }
    svg.text({left + width / 2, bottom + 20}, std::to_string(first + growth * column),
             {.anchor = "middle"});
    if (column == layers) continue;
    const double tip = top - growth * height / 2;
    svg.line({{left + width + 4, top},
              {left + width + 10, top},
              {left + width + 10, bottom},
              {left + width + 4, bottom}},
             {grey, 1.5});
    svg.arrow({left + width + 10, (top + bottom) / 2}, {left + step - 4, tip}, {grey, 1.5});
    svg.text({left + width + 14, bottom - 6}, "layer " + std::to_string(column),
             {.size = 11, .colour = grey});
  }
  svg.text({40, bottom + 44},
           "channels, growth 32: every layer reads all before it and appends 32");
  svg.print();
}
