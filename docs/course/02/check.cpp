#include "exercise.h"
#include "reference/conv2d.h"
#include "reference/glyphs.h"

using namespace limbic::course;

namespace {

struct SizeCase {
  const char* what;
  int64_t size;
  Window window;
  int64_t expected;
  const char* hint;
};

void check_output_size() {
  for (const SizeCase& c : {
           SizeCase{"5 pixels, kernel 3", 5, {}, 3, "the window begins at pixel 0, 1 or 2"},
           {"5 pixels, kernel 3, padding 1", 5, {.padding = 1}, 5, "padding is added at both ends"},
           {"6 pixels, kernel 3, stride 2",
            6,
            {.stride = 2},
            2,
            "at 4 the window would hang over the end: round down"},
           {"224 pixels, kernel 7, stride 2, padding 3",
            224,
            {.kernel_size = 7, .stride = 2, .padding = 3},
            112,
            "ResNet's first layer: floor((224 + 6 - 7) / 2) + 1"},
           {"7 pixels, kernel 3, dilation 2",
            7,
            {.dilation = 2},
            3,
            "with dilation 2 the kernel's 3 weights span 5 pixels"},
           {"2 pixels, kernel 3", 2, {}, 0, "the window does not fit: 0"},
           {"2 pixels, kernel 4, stride 3",
            2,
            {.kernel_size = 4, .stride = 3},
            0,
            "it does not fit, and (2 - 4) / 3 is 0 in C++, not -1"},
       })
    expect(c.what, number(static_cast<double>(output_size(c.size, c.window))),
           {number(static_cast<double>(c.expected)), c.hint});
}

void check_conv2d() {
  const Array src = array({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  const Array weight = array({1, 1, 2, 2}, {1, 0, 0, 2});
  expect("rows 1 2 3, 4 5 6, 7 8 9 with the kernel 1 0, 0 2",
         conv2d(src, weight, {.kernel_size = 2}),
         {array({1, 1, 2, 2}, {11, 14, 20, 23}),
          "dst(0,0) = 1 * 1 + 0 * 2 + 0 * 4 + 2 * 5 = 11",
          {{array({1, 1, 2, 2}, {7, 10, 16, 19}),
            "that is with the kernel turned round; a network's convolution does not turn it"}}});
  expect("rows 1 2 3, 4 5 6, 7 8 9, kernel 1 0, 0 2, padding 1, stride 2",
         conv2d(src, weight, {.kernel_size = 2, .stride = 2, .padding = 1}),
         {array({1, 1, 2, 2}, {2, 6, 14, 23}),
          "the first window lies at row -1, column -1; what is outside counts as 0",
          {{array({1, 1, 2, 2}, {11, 0, 0, 0}),
            "subtract the padding: row = y * stride - padding + u"}}});

  limbic::reference::Random random(1);
  Array many({2, 3, 7, 6}), weights({4, 3, 3, 3});
  for (double& x : many.values) x = random.uniform(-1, 1);
  for (double& w : weights.values) w = random.uniform(-1, 1);
  for (const Window& w :
       {Window{}, Window{.stride = 2, .padding = 1}, Window{.padding = 2, .dilation = 2}}) {
    const auto twin = limbic::reference::conv2d(
        many, weights, {}, {.stride = w.stride, .padding = w.padding, .dilation = w.dilation});
    expect("2 pictures of 3 channels, 7x6 pixels, 4 kernels, stride " + std::to_string(w.stride) +
               ", padding " + std::to_string(w.padding) + ", dilation " +
               std::to_string(w.dilation),
           conv2d(many, weights, w),
           {twin, "sum over all input channels; height and width are not the same here"});
  }
}

void check_receptive_field() {
  const auto field = [](const std::vector<Window>& layers) {
    return number(static_cast<double>(receptive_field(layers)));
  };
  expect("no layer", field({}), {number(1), "begin with 1"});
  expect("one 3x3 layer", field({{}}), {number(3), "a kernel of 3 adds 2 to the pixel itself"});
  expect(
      "two 3x3 layers", field({{}, {}}),
      {number(5), "the second adds 2 again", {{number(9), "fields add up, they do not multiply"}}});
  expect("3x3 of stride 2, then 3x3", field({{.stride = 2}, {}}),
         {number(7),
          "neighbours behind a stride of 2 lie 2 pixels apart, so the second kernel adds 2 * 2",
          {{number(5), "the stride of a layer matters to the layers behind it"},
           {number(9), "the stride of a layer does not matter to that layer itself"}}});
  expect("3x3 of dilation 2, then 3x3", field({{.dilation = 2}, {}}),
         {number(7), "with dilation d a kernel of k adds (k - 1) * d"});
  expect("ResNet's beginning: 7x7 of stride 2, a 3x3 pool of stride 2, 3x3, 3x3",
         field({{.kernel_size = 7, .stride = 2}, {.stride = 2}, {}, {}}),
         {number(27), "strides multiply: behind two of 2 neighbours lie 4 pixels apart"});
}

}  // namespace

int main() {
  Lesson lesson("Lesson 2: convolution");
  lesson.exercise("output_size", check_output_size);
  lesson.exercise("conv2d", check_conv2d);
  lesson.exercise("receptive_field", check_receptive_field);
  return lesson.finish();
}
