#include <doctest/doctest.h>

#include <hwy/highway.h>
#include <algorithm>
#include <cmath>

#include "limbic/core/parallel.h"
#include "limbic/core/random.h"
#include "limbic/nn/cpu/winograd/weight_gradient.h"
#include "limbic/reference/activation.h"
#include "limbic/reference/add.h"
#include "limbic/reference/conv2d.h"
#include "limbic/reference/winograd.h"
#include "limbic/twins/check_gradient.h"
#include "tests/reference/winograd.h"

using namespace limbic;

namespace {

twins::Array random_array(Shape shape, uint64_t stream) {
  twins::Array out(std::move(shape));
  Random random(3, stream);
  // Rounded to f32, so that the fast twin is given the same numbers.
  for (double& x : out.values) x = static_cast<float>(random.normal());
  return out;
}

std::vector<float> to_float(const twins::Array& a) {
  return std::vector<float>(a.values.begin(), a.values.end());
}

// (N,C,H,W) to channels-last with `pitch` floats a pixel; what lies between pixels stays NaN.
std::vector<float> channels_last(const twins::Array& a, int64_t pitch) {
  std::vector<float> out(static_cast<size_t>(a.shape[0] * a.height() * a.width() * pitch), NAN);
  for (int64_t n = 0; n < a.shape[0]; ++n)
    for (int64_t c = 0; c < a.shape[1]; ++c)
      for (int64_t y = 0; y < a.height(); ++y)
        for (int64_t x = 0; x < a.width(); ++x)
          out[static_cast<size_t>(((n * a.height() + y) * a.width() + x) * pitch + c)] =
              static_cast<float>(a.at(n, c, y, x));
  return out;
}

std::vector<float> to_hwio(const twins::Array& w) {
  std::vector<float> out;
  for (int64_t u = 0; u < 3; ++u)
    for (int64_t v = 0; v < 3; ++v)
      for (int64_t i = 0; i < w.shape[1]; ++i)
        for (int64_t o = 0; o < w.shape[0]; ++o)
          out.push_back(static_cast<float>(w.at(o, i, u, v)));
  return out;
}

struct Case {
  winograd::Geometry geometry;
  int64_t extra_pitch = 0;  // floats between the pixels of dst
};

const std::vector<Case> cases = {
    {{.n = 1, .h = 8, .w = 8, .in_channels = 16, .out_channels = 16}},
    {{.n = 3, .h = 7, .w = 7, .in_channels = 17, .out_channels = 40}},
    {{.n = 1, .h = 1, .w = 1, .in_channels = 3, .out_channels = 1}},
    {{.n = 3, .h = 2, .w = 2, .in_channels = 1, .out_channels = 3}, 5},
    {{.n = 1, .h = 13, .w = 5, .in_channels = 40, .out_channels = 17}, 16},
    {{.n = 1, .h = 5, .w = 9, .in_channels = 12, .out_channels = 24, .top = 0, .bottom = 2}},
    {{.n = 3, .h = 3, .w = 4, .in_channels = 3, .out_channels = 16, .left = 2, .right = 0}, 1},
    {{.n = 1,
      .h = 6,
      .w = 10,
      .in_channels = 16,
      .out_channels = 3,
      .top = 2,
      .left = 0,
      .bottom = 2,
      .right = 0}},
    {{.n = 1,
      .h = 3,
      .w = 3,
      .in_channels = 40,
      .out_channels = 40,
      .top = 0,
      .left = 0,
      .bottom = 0,
      .right = 0}},
    {{.n = 3, .h = 34, .w = 31, .in_channels = 16, .out_channels = 17}, 7},  // many tiles
    {{.n = 1, .h = 9, .w = 9, .in_channels = 150, .out_channels = 70}},      // many weights
    {{.n = 3, .h = 18, .w = 19, .in_channels = 135, .out_channels = 72}},    // both
};

reference::Padding padding(const winograd::Geometry& g) {
  return {g.top, g.left, g.bottom, g.right};
}

twins::Array plain_conv2d(const winograd::Geometry& g, const twins::Array& src,
                          const twins::Array& weight, const twins::Array& bias) {
  return reference::conv2d(src, weight, bias, {.padding = padding(g)});
}

struct Operands {
  twins::Array src, weight, bias, add;
  explicit Operands(const winograd::Geometry& g)
      : src(random_array({g.n, g.in_channels, g.h, g.w}, 1)),
        weight(random_array({g.out_channels, g.in_channels, 3, 3}, 2)),
        bias(random_array({g.out_channels, 1}, 3)),
        add(random_array({g.n, g.out_channels, g.out_h(), g.out_w()}, 4)) {
    bias.shape = {g.out_channels};
  }
};

reference::Gradients plain_backward(const winograd::Geometry& g, const Operands& o,
                                    const twins::Array& dy) {
  return reference::conv2d_backward(o.src, o.weight, {.padding = padding(g)}, dy);
}

struct RunOptions {
  winograd::Convolution::PackOptions pack = {};
  bool bias = false, add = false, in_place = false, relu = false;
};

// The fast convolution with every buffer that it must write, and all scratch, poisoned with NaN.
std::vector<float> run(const Case& c, int m, const Operands& operands, const RunOptions& o) {
  const winograd::Geometry& g = c.geometry;
  const winograd::Convolution conv(g, m);
  std::vector<float> packed(static_cast<size_t>(conv.packed_weight_floats()), NAN),
      scratch(static_cast<size_t>(conv.scratch_floats()), NAN);
  const bool hwio = o.pack.layout == winograd::WeightLayout::hwio;
  conv.pack((hwio ? to_hwio(operands.weight) : to_float(operands.weight)).data(), o.pack,
            packed.data());
  const int64_t pitch = g.out_channels + c.extra_pitch;
  const std::vector<float> src = channels_last(operands.src, g.in_channels),
                           add = channels_last(operands.add, pitch), bias = to_float(operands.bias);
  std::vector<float> dst = o.in_place ? add : std::vector<float>(add.size(), NAN);
  const float* added = !o.add ? nullptr : o.in_place ? dst.data() : add.data();
  conv.run(src.data(), packed.data(), dst.data(), pitch,
           {.bias = o.bias ? bias.data() : nullptr, .add = added, .relu = o.relu}, scratch.data());
  return dst;
}

// ||dst - expected|| / ||expected||, and nothing written between the pixels.
double error(const std::vector<float>& dst, const twins::Array& expected) {
  const int64_t pitch =
      static_cast<int64_t>(dst.size()) / (expected.shape[0] * expected.height() * expected.width());
  const std::vector<float> same = channels_last(expected, pitch);
  std::vector<double> got, want;
  for (size_t i = 0; i < dst.size(); ++i) {
    const bool between = static_cast<int64_t>(i) % pitch >= expected.shape[1];
    if (between) {
      if (!std::isnan(dst[i])) return INFINITY;
    } else {
      if (std::isnan(dst[i])) return INFINITY;
      got.push_back(dst[i]);
      want.push_back(same[i]);
    }
  }
  return twins::relative_error(got, want);
}

// diff_weight for random src (stream 1) and diff_dst (stream 4), poisoned as in run.
std::vector<float> run_weight_gradient(const winograd::Geometry& g) {
  const winograd::WeightGradient gradient(g);
  const Operands operands(g);
  std::vector<float> scratch(static_cast<size_t>(gradient.scratch_floats()), NAN),
      diff_weight(static_cast<size_t>(9 * g.in_channels * g.out_channels), NAN);
  gradient.run(channels_last(operands.src, g.in_channels).data(),
               channels_last(operands.add, g.out_channels).data(), diff_weight.data(),
               scratch.data());
  return diff_weight;
}

double weight_gradient_error(const winograd::Geometry& g) {
  const Operands operands(g);
  const std::vector<float> got = run_weight_gradient(g),
                           want = to_hwio(plain_backward(g, operands, operands.add).weight);
  for (const float x : got)
    if (std::isnan(x)) return INFINITY;
  return twins::relative_error(std::vector<double>(got.begin(), got.end()),
                               std::vector<double>(want.begin(), want.end()));
}

double tolerance(int m) { return m == 2 ? 1e-6 : 3e-6; }

}  // namespace

TEST_CASE("winograd: the naive twin equals the definition") {
  for (const Case& c : cases)
    for (const int m : {2, 4}) {
      CAPTURE(m);
      CAPTURE(c.geometry.h);
      const Operands operands(c.geometry);
      const auto expected = plain_conv2d(c.geometry, operands.src, operands.weight, {});
      const auto got =
          twins::winograd_conv2d(operands.src, operands.weight, padding(c.geometry), m);
      CHECK(got.shape == expected.shape);
      CHECK(twins::relative_error(got.values, expected.values) < 1e-12);
    }
}

TEST_CASE("winograd: the plain F(2,3) equals the definition, and each step the matrices'") {
  for (const Case& c : cases) {
    CAPTURE(c.geometry.h);
    const Operands operands(c.geometry);
    const auto expected = plain_conv2d(c.geometry, operands.src, operands.weight, {});
    const auto got = reference::winograd_conv2d(operands.src, operands.weight, padding(c.geometry));
    CHECK(got.shape == expected.shape);
    CHECK(twins::relative_error(got.values, expected.values) < 1e-12);
  }
  reference::Array d({1, 1, 4, 4}), g({1, 1, 3, 3});
  for (int64_t i = 0; i < 16; ++i) d[i] = static_cast<double>(i * i % 7) - 3;
  for (int64_t i = 0; i < 9; ++i) g[i] = static_cast<double>(i * i % 5) - 2;
  const reference::WinogradTile t = reference::winograd_tile(d, g);
  CHECK(twins::relative_error(t.output.values, reference::conv2d(d, g, {}, {}).values) < 1e-12);
  CHECK(t.input[0] == d[0] - d[2] - d[8] + d[10]);
  CHECK(t.weight[0] == g[0]);
  CHECK(t.weight[15] == g[8]);
  CHECK_THROWS_AS(reference::winograd_tile(g, g), std::invalid_argument);
  CHECK_THROWS_AS(reference::winograd_conv2d(d, d, 1), std::invalid_argument);
}

TEST_CASE("winograd: equals the definition over awkward shapes") {
  for (const Case& c : cases)
    for (const int m : {2, 4}) {
      CAPTURE(m);
      CAPTURE(c.geometry.h);
      CAPTURE(c.geometry.in_channels);
      const Operands operands(c.geometry);
      const auto plain = plain_conv2d(c.geometry, operands.src, operands.weight, {});
      CHECK(error(run(c, m, operands, {}), plain) < tolerance(m));
      CHECK(error(run(c, m, operands, {.pack = {.layout = winograd::WeightLayout::hwio}}), plain) <
            tolerance(m));

      const auto biased = plain_conv2d(c.geometry, operands.src, operands.weight, operands.bias);
      CHECK(error(run(c, m, operands, {.bias = true}), biased) < tolerance(m));
      auto sum = reference::add(biased, operands.add);
      CHECK(error(run(c, m, operands, {.bias = true, .add = true}), sum) < tolerance(m));
      sum = reference::relu(reference::add(plain, operands.add));
      CHECK(error(run(c, m, operands, {.add = true, .in_place = true, .relu = true}), sum) <
            tolerance(m));
    }
}

TEST_CASE("winograd: backward_data is the gradient with respect to src") {
  for (const Case& c : cases)
    for (const int m : {2, 4})
      for (const auto layout : {winograd::WeightLayout::oihw, winograd::WeightLayout::hwio}) {
        CAPTURE(m);
        CAPTURE(c.geometry.h);
        const winograd::Geometry& g = c.geometry;
        const Case back = {g.backward_data(), c.extra_pitch};
        Operands operands(back.geometry);
        operands.weight = Operands(g).weight;
        const auto expected = plain_backward(g, Operands(g), operands.src).src;
        const auto got =
            run(back, m, operands, {.pack = {.layout = layout, .backward_data = true}});
        CHECK(error(got, expected) < tolerance(m));
      }
}

TEST_CASE("winograd: the naive weight gradient equals the definition") {
  for (const Case& c : cases) {
    CAPTURE(c.geometry.h);
    const Operands o(c.geometry);
    const auto got = twins::winograd_backward_weights(o.src, o.add, padding(c.geometry));
    const auto expected = plain_backward(c.geometry, o, o.add).weight;
    CHECK(got.shape == expected.shape);
    CHECK(twins::relative_error(got.values, expected.values) < 1e-12);
  }
}

TEST_CASE("winograd: weight gradient over awkward shapes, the same bits for any threads") {
  const int before = threads();
  std::vector<winograd::Geometry> geometries;
  for (const Case& c : cases) geometries.push_back(c.geometry);
  // Several sums of several chunks each; and more blocks of channels than one in both directions.
  geometries.push_back({.n = 33, .h = 31, .w = 34, .in_channels = 5, .out_channels = 18});
  geometries.push_back({.n = 5, .h = 31, .w = 30, .in_channels = 83, .out_channels = 81});
  for (const winograd::Geometry& g : geometries) {
    CAPTURE(g.h);
    CAPTURE(g.in_channels);
    set_threads(1);
    CHECK(weight_gradient_error(g) < 5e-6);
    const std::vector<float> one = run_weight_gradient(g);
    for (const int several : {2, 5}) {
      set_threads(several);
      CHECK(run_weight_gradient(g) == one);
    }
  }
  set_threads(before);
}

TEST_CASE("winograd: any number of threads gives the same bits") {
  const int before = threads();
  for (const Case& c : cases)
    for (const int m : {2, 4}) {
      CAPTURE(m);
      CAPTURE(c.geometry.h);
      const Operands operands(c.geometry);
      set_threads(1);
      const auto one = run(c, m, operands, {.bias = true, .relu = true});
      for (const int several : {2, 5}) {
        set_threads(several);
        const auto got = run(c, m, operands, {.bias = true, .relu = true});
        CHECK(std::equal(one.begin(), one.end(), got.begin(), [](float a, float b) {
          return a == b || (std::isnan(a) && std::isnan(b));
        }));
      }
    }
  set_threads(before);
}

TEST_CASE("winograd: more weights than a cache holds, and more tiles than a chunk") {
  const int before = threads();
  set_threads(1);
  const Case c = {{.n = 1, .h = 33, .w = 34, .in_channels = 256, .out_channels = 240}};
  const Operands operands(c.geometry);
  const auto expected = plain_conv2d(c.geometry, operands.src, operands.weight, operands.bias);
  for (const int m : {2, 4}) CHECK(error(run(c, m, operands, {.bias = true}), expected) < 3e-6);
  set_threads(before);
}

TEST_CASE("winograd: every instruction set that this processor has") {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().DeInit();
    CAPTURE(hwy::TargetName(target));
    for (const Case& c : cases)
      for (const int m : {2, 4}) {
        CAPTURE(m);
        CAPTURE(c.geometry.h);
        const Operands operands(c.geometry);
        const auto expected =
            reference::relu(plain_conv2d(c.geometry, operands.src, operands.weight, operands.bias));
        CHECK(error(run(c, m, operands, {.bias = true, .relu = true}), expected) < tolerance(m));
      }
    for (const Case& c : cases) CHECK(weight_gradient_error(c.geometry) < 5e-6);
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
}

TEST_CASE("winograd: NaN comes through the ReLU, and only where it is read") {
  const Case c = {{.n = 1, .h = 9, .w = 9, .in_channels = 16, .out_channels = 16}};
  Operands operands(c.geometry);
  operands.src.at(0, 3, 8, 8) = NAN;
  const auto dst = run(c, 4, operands, {.relu = true});
  CHECK(std::isnan(dst[(8 * 9 + 8) * 16]));
  CHECK(!std::isnan(dst[0]));
}

TEST_CASE("winograd: what does not fit is an error") {
  const auto make = [](const winograd::Geometry& g, int m) { winograd::Convolution(g, m); };
  CHECK_THROWS_AS(make({}, 3), Error);
  CHECK_THROWS_AS(make({.top = 3}, 2), Error);
  CHECK_THROWS_AS(make({.h = 1, .top = 0, .bottom = 1}, 2), Error);
  CHECK_THROWS_AS(make({.w = 1, .left = 0, .right = 1}, 2), Error);
  CHECK_THROWS_AS(make({.in_channels = 0}, 2), Error);
  CHECK_THROWS_AS(winograd::WeightGradient({.left = 3}), Error);
  CHECK_THROWS_AS(winograd::WeightGradient({.out_channels = 0}), Error);
}
