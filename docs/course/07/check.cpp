#include "exercise.h"

using namespace limbic::course;

namespace {

void check_roofline() {
  // 10x10 pixels, 2 -> 3 channels, 1x1: 1200 operations; 4 * (6 + 200 + 300) = 2024 bytes.
  const Conv small{2, 3, 10, 10, 1};
  expect("2 -> 3 channels, 10x10 pixels, 1x1, on 1 operation and 1000 bytes a second",
         number(conv_seconds(small, {1, 1000})),
         {number(1200),
          "2 * 2 * 3 * 10 * 10 operations",
          {{number(600), "a multiplication and an addition are two operations"},
           {number(1202.024), "computing and moving overlap: the longer of the two, not the sum"},
           {number(2.024), "the longer of the two, not the shorter"}}});
  expect("2 -> 3 channels, 10x10 pixels, 1x1, on 1000 operations and 1 byte a second",
         number(conv_seconds(small, {1000, 1})),
         {number(2024),
          "4 * (6 weights + 200 values of src + 300 of dst)",
          {{number(506), "an f32 has 4 bytes"},
           {number(2000), "the weights are missing"},
           {number(1.2), "the longer of the two, not the shorter"},
           {number(2025.2), "computing and moving overlap: the longer of the two, not the sum"}}});
  expect("1 -> 1 channel, 4x5 pixels, 3x3, on 1 operation and 1000 bytes a second",
         number(conv_seconds({1, 1, 4, 5, 3}, {1, 1000})),
         {number(360), "2 * 9 * 20", {{number(120), "a kernel has kernel_size^2 weights"}}});
}

void check_winograd() {
  Counted::multiplications = 0;
  const auto s = winograd({Counted{1}, {2}, {3}, {4}}, {10, 20, 30});
  expect("d = 1 2 3 4, g = 10 20 30", numbers({s[0].value, s[1].value}),
         {numbers({140, 200}),
          "1*10 + 2*20 + 3*30 = 140 and 2*10 + 3*20 + 4*30 = 200",
          {{numbers({140, -200}), "the sign of the second output"},
           {numbers({100, 160}), "g must not be turned round"}}});
  expect("how many multiplications of a Counted",
         number(Counted::multiplications <= 4 ? 4 : Counted::multiplications),
         {number(4),
          "the definition takes six; take the four products of the page, and divide g by "
          "2, not d"});
  const auto t = winograd({Counted{5}, {-1}, {0.5}, {2}}, {1, -3, 0.25});
  expect(
      "d = 5 -1 0.5 2, g = 1 -3 0.25", numbers({t[0].value, t[1].value}),
      {numbers({8.125, -2}), "check each product's sign with d and g of which all but one are 0"});
}

Array levels(const Quantised& q) { return numbers({q.levels.begin(), q.levels.end()}); }

void check_quantise() {
  const std::vector<float> values = {-2.54f, 0.0f, 1.0f, 0.031f, 2.535f};
  const Quantised q = quantise(values);
  expect("-2.54 0 1 0.031 2.535: the scale", number(q.scale),
         {number(2.54f / 127.0),
          "the largest magnitude, 2.54, becomes -127 or 127",
          {{number(2.535f / 127.0), "negative values have magnitudes too"},
           {number(2.54f / 128.0), "128 does not fit into 8 bits; 127 does"},
           {number(127 / 2.54f), "value = scale * level: the scale is the step, not its inverse"},
           {number((2.535f + 2.54f) / 255.0), "symmetric: 0 becomes 0 and no offset is kept"}}});
  expect("-2.54 0 1 0.031 2.535: the levels", levels(q),
         {numbers({-127, 0, 50, 2, 127}),
          "divide by the scale and round to the nearest",
          {{numbers({-127, 0, 50, 1, 126}), "1.55 and 126.75 are cut off; round"}}});
  expect("-0.3 -1: the levels", levels(quantise(std::vector<float>{-0.3f, -1.0f})),
         {numbers({-38, -127}),
          "-0.3 * 127 = -38.1",
          {{numbers({-37, -127}), "adding 0.5 and cutting off rounds negative numbers wrongly"}}});
  const Quantised zeros = quantise(std::vector<float>{0, 0});
  expect("0 0: the scale", number(zeros.scale), {number(1), "0 / 0 is not a number; take scale 1"});
  expect("0 0: the levels", levels(zeros), {numbers({0, 0}), "zeros"});
}

}  // namespace

int main() {
  Lesson lesson("Lesson 7: making it fast");
  lesson.exercise("conv_seconds", check_roofline);
  lesson.exercise("winograd", check_winograd);
  lesson.exercise("quantise", check_quantise);
  return lesson.finish();
}
