// reference/ alone: its backward against its forward, its conventions, its messages, its rules.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>

#include "limbic/core/random.h"
#include "limbic/reference/activation.h"
#include "limbic/reference/adam.h"
#include "limbic/reference/add.h"
#include "limbic/reference/batch_norm.h"
#include "limbic/reference/concat.h"
#include "limbic/reference/conv2d.h"
#include "limbic/reference/dropout.h"
#include "limbic/reference/linear.h"
#include "limbic/reference/loss.h"
#include "limbic/reference/pool2d.h"
#include "limbic/reference/reshape.h"
#include "limbic/reference/sgd.h"
#include "limbic/reference/softmax.h"
#include "limbic/reference/upsample.h"
#include "limbic/twins/check_gradient.h"

using namespace limbic::reference;

namespace {

Array random_array(Shape shape, uint64_t stream) {
  Array out(std::move(shape));
  limbic::Random random(17, stream);
  for (double& x : out.values) x = 2 * random.normal();
  return out;
}

Array of(const Shape& shape, const std::vector<double>& values) {
  Array out(shape);
  out.values = values;
  return out;
}

// For L = sum(weights * forward()): `gradient` against central differences over `array`, which
// forward reads.
void check(const char* name, Array& array, const Array& gradient, const Array& weights,
           const std::function<Array()>& forward) {
  CAPTURE(name);
  const auto loss = [&] {
    const Array y = forward();
    REQUIRE(y.shape == weights.shape);
    double sum = 0;
    for (size_t i = 0; i < y.values.size(); ++i) sum += y.values[i] * weights.values[i];
    return sum;
  };
  constexpr double step = 1e-5;
  std::vector<double> differences;
  for (double& x : array.values) {
    const double before = x;
    x = before + step;
    const double up = loss();
    x = before - step;
    differences.push_back((up - loss()) / (2 * step));
    x = before;
  }
  CHECK(gradient.shape == array.shape);
  CHECK(limbic::twins::relative_error(gradient.values, differences) < 1e-8);
}

using Unary = std::function<Array(const Array&)>;
using UnaryBackward = std::function<Array(const Array&, const Array&)>;

void check_unary(const char* name, Array src, const Unary& forward, const UnaryBackward& backward) {
  const Array dy = random_array(forward(src).shape, 99);
  check(name, src, backward(src, dy), dy, [&] { return forward(src); });
}

void check_conv2d(const char* name, Array src, Array weight, const Conv2dOptions& o) {
  Array bias = random_array({weight.shape[0]}, 3);
  const auto forward = [&] { return conv2d(src, weight, bias, o); };
  const Array dy = random_array(forward().shape, 4);
  const Gradients d = conv2d_backward(src, weight, o, dy);
  check(name, src, d.src, dy, forward);
  check(name, weight, d.weight, dy, forward);
  check(name, bias, d.bias, dy, forward);
}

}  // namespace

TEST_CASE("reference: activations' backward equals central differences") {
  const Array src = random_array({2, 3, 5, 4}, 1);
  check_unary(
      "clamp", src, [](auto& x) { return clamp(x, -1, 1.5); },
      [](auto& x, auto& dy) { return clamp_backward(x, -1, 1.5, dy); });
  check_unary("relu", src, relu, relu_backward);
  check_unary("silu", src, silu, silu_backward);
  check_unary("hard_swish", src, hard_swish, hard_swish_backward);
  check_unary("gelu", src, gelu, gelu_backward);
  check_unary("sigmoid", src, sigmoid, sigmoid_backward);
  check_unary("tanh", src, static_cast<Array (*)(const Array&)>(limbic::reference::tanh),
              tanh_backward);
  check_unary(
      "leaky_relu", src, [](auto& x) { return leaky_relu(x, 0.2); },
      [](auto& x, auto& dy) { return leaky_relu_backward(x, 0.2, dy); });
  check_unary("softmax", random_array({3, 5}, 1), softmax, softmax_backward);
}

TEST_CASE("reference: backward of convolution and linear equals central differences") {
  const Array src = random_array({2, 4, 6, 7}, 1);
  check_conv2d("plain", src, random_array({3, 4, 3, 2}, 2), {});
  check_conv2d("strided, asymmetric", src, random_array({3, 4, 3, 3}, 2),
               {.stride = {2, 3}, .padding = {0, 1, 2, 3}});
  check_conv2d("grouped, dilated", src, random_array({6, 2, 3, 2}, 2),
               {.padding = 1, .dilation = {1, 3}, .groups = 2});
  check_conv2d("same", src, random_array({4, 1, 4, 3}, 2),
               {.stride = {1, 2}, .same_padding = true, .groups = 4});

  Array x = random_array({3, 5}, 1), weight = random_array({4, 5}, 2), bias = random_array({4}, 3);
  const auto forward = [&] { return linear(x, weight, bias); };
  const Array dy = random_array({3, 4}, 4);
  const Gradients d = linear_backward(x, weight, dy);
  check("linear", x, d.src, dy, forward);
  check("linear", weight, d.weight, dy, forward);
  check("linear", bias, d.bias, dy, forward);
}

TEST_CASE("reference: backward of batch norm equals central differences") {
  for (const Shape& shape : {Shape{3, 2, 4, 5}, Shape{6, 3}}) {
    Array src = random_array(shape, 1), weight = random_array({shape[1]}, 2),
          bias = random_array({shape[1]}, 3);
    const Moments running = batch_moments(random_array(shape, 5));
    const BatchNormOptions o{.epsilon = 1e-3};
    const Array dy = random_array(shape, 4);
    const auto forward = [&] {
      Moments moved = running;
      return batch_norm(src, weight, bias, moved, o);
    };
    const auto frozen = [&] { return frozen_batch_norm(src, weight, bias, running, o); };
    const Gradients d = batch_norm_backward(src, weight, o, dy);
    const Gradients f = frozen_batch_norm_backward(src, weight, running, o, dy);
    check("src", src, d.src, dy, forward);
    check("weight", weight, d.weight, dy, forward);
    check("bias", bias, d.bias, dy, forward);
    check("frozen src", src, f.src, dy, frozen);
    check("frozen weight", weight, f.weight, dy, frozen);
    check("frozen bias", bias, f.bias, dy, frozen);
  }
}

TEST_CASE("reference: backward of pools equals central differences") {
  const Array src = random_array({2, 3, 7, 6}, 1);
  for (const Pool2dOptions& o :
       {Pool2dOptions{}, Pool2dOptions{.kernel_size = {3, 2}, .stride = {2, 1}, .padding = 1},
        Pool2dOptions{.kernel_size = 3, .padding = {0, 1, 1, 0}, .ceil_mode = true},
        Pool2dOptions{.kernel_size = 3, .padding = 1, .count_include_pad = false}}) {
    check_unary(
        "max", src, [&](auto& x) { return max_pool2d(x, o); },
        [&](auto& x, auto& dy) { return max_pool2d_backward(x, o, dy); });
    check_unary(
        "avg", src, [&](auto& x) { return avg_pool2d(x, o); },
        [&](auto& x, auto& dy) { return avg_pool2d_backward(x, o, dy); });
  }
  check_unary(
      "adaptive", src,
      [](auto& x) {
        return adaptive_avg_pool2d(x, {3, 4});
      },
      [](auto& x, auto& dy) {
        return adaptive_avg_pool2d_backward(x, {3, 4}, dy);
      });
  check_unary("global", src, global_avg_pool, global_avg_pool_backward);
}

TEST_CASE("reference: upsampling is PyTorch's interpolate, and its backward the differences") {
  const Array src = random_array({2, 3, 3, 4}, 1);
  for (const Size2& scale : {Size2(2), Size2(3, 1), Size2(1, 5)}) {
    check_unary(
        "nearest", src, [&](auto& x) { return upsample_nearest(x, scale); },
        [&](auto& x, auto& dy) { return upsample_nearest_backward(x.shape, scale, dy); });
    check_unary(
        "bilinear", src, [&](auto& x) { return upsample_bilinear(x, scale); },
        [&](auto& x, auto& dy) { return upsample_bilinear_backward(x.shape, scale, dy); });
  }
  // torch.nn.functional.interpolate(torch.tensor([[[[1., 5, 2]]]]), scale_factor=(1, 2), ...)
  const Array row = of({1, 1, 1, 3}, {1, 5, 2});
  CHECK(upsample_nearest(row, {1, 2}).values == std::vector<double>{1, 1, 5, 5, 2, 2});
  CHECK(upsample_bilinear(row, {1, 2}).values == std::vector<double>{1, 2, 4, 4.25, 2.75, 2});
}

TEST_CASE("reference: backward of what moves values equals central differences") {
  const Array src = random_array({2, 3, 5, 4}, 1), other = random_array({2, 2, 5, 4}, 2);
  check_unary("flatten", src, flatten, flatten_backward);
  const SlicePadOptions o{.stride = {2, 3}, .channels_before = 1, .channels_after = 2};
  check_unary(
      "slice_pad", src, [&](auto& x) { return slice_pad(x, o); },
      [&](auto& x, auto& dy) { return slice_pad_backward(x, o, dy); });
  check_unary(
      "concat", src,
      [&](auto& x) {
        return concat({other, x});
      },
      [&](auto& x, auto& dy) {
        return concat_backward({other, x}, dy)[1];
      });
  const Array same = random_array(src.shape, 3);
  check_unary(
      "add a", src, [&](auto& x) { return add(x, same); },
      [](auto&, auto& dy) { return add_backward(dy).a; });
  check_unary(
      "add b", src, [&](auto& x) { return add(same, x); },
      [](auto&, auto& dy) { return add_backward(dy).b; });
  Array mask(src.shape);
  for (size_t i = 0; i < mask.values.size(); i += 3) mask.values[i] = 1;
  check_unary(
      "dropout", src, [&](auto& x) { return dropout(x, mask, 0.6); },
      [&](auto&, auto& dy) { return dropout_backward(mask, 0.6, dy); });
}

TEST_CASE("reference: the loss' gradient equals central differences") {
  Array logits = random_array({4, 3}, 1);
  const std::vector<int64_t> labels = {2, -1, 0, 2};
  for (const CrossEntropyOptions& o :
       {CrossEntropyOptions{}, CrossEntropyOptions{{0.5, 0, 2}, 0.1}}) {
    const auto loss = [&] { return of({1}, {softmax_cross_entropy(logits, labels, o).value}); };
    check("cross entropy", logits, softmax_cross_entropy(logits, labels, o).logits, of({1}, {1}),
          loss);
  }
}

TEST_CASE("reference: the other losses' gradients equal central differences") {
  using Function = Loss (*)(const Array&, const Array&);
  for (const Function loss : {Function(mean_squared_error), Function(binary_cross_entropy)}) {
    Array x = random_array({4, 3}, 1), targets = random_array({4, 3}, 2);
    for (double& t : targets.values) t = 1 / (1 + std::exp(-t));
    check("loss", x, loss(x, targets).logits, of({1}, {1}),
          [&] { return of({1}, {loss(x, targets).value}); });
    CHECK_THROWS_AS(loss(x, Array({3, 4})), std::invalid_argument);
  }
}

TEST_CASE("reference: Adam's and AdamW's steps are PyTorch's") {
  // torch.optim.Adam(lr=0.1, weight_decay=0.5) and AdamW(lr=0.1, weight_decay=0.5, betas=(0.8,
  // 0.9), eps=1e-3) in f64, torch 1.13.
  const auto after_three = [](const AdamOptions& o) {
    Array w = of({3}, {1, -2, 0.5}), m({3}), v({3});
    adam_step(w, m, v, 1, of({3}, {0.5, -1, 2}), o);
    adam_step(w, m, v, 2, of({3}, {-3, 0.25, 0}), o);
    adam_step(w, m, v, 3, of({3}, {1, 1, -1}), o);
    return w.values;
  };
  CHECK(limbic::twins::relative_error(after_three({.learning_rate = 0.1, .weight_decay = 0.5}),
                                      std::vector<double>{0.9450880209688444, -1.7471678565085655,
                                                          0.29572128568408407}) < 1e-14);
  CHECK(limbic::twins::relative_error(after_three({0.1, 0.8, 0.9, 1e-3, 0.5, true}),
                                      std::vector<double>{0.8534297648603194, -1.6114866018876186,
                                                          0.2680127637403532}) < 1e-14);
  Array w({3}), m({3}), v({3});
  CHECK_THROWS_AS(adam_step(w, m, v, 1, Array({2}), {}), std::invalid_argument);
}

TEST_CASE("reference: what a definition could have otherwise") {
  // "same" puts the odd row below and the odd column on the right.
  CHECK(conv2d(of({1, 1, 2, 2}, {1, 2, 3, 4}), of({1, 1, 2, 2}, {1000, 100, 10, 1}), {},
               {.same_padding = true})
            .values == std::vector<double>{1234, 2040, 3400, 4000});
  // In ceil mode no window begins behind the picture and the padding before it.
  const Array row = of({1, 1, 1, 3}, {1, 2, 3});
  CHECK(
      max_pool2d(row, {.kernel_size = {1, 2}, .padding = {0, 1, 0, 1}, .ceil_mode = true}).values ==
      std::vector<double>{1, 3});
  CHECK(dropout(row, of(row.shape, {1, 0, 1}), 0.75).values == std::vector<double>{4, 0, 12});
}

TEST_CASE("reference: derivatives at kinks, and NaN") {
  const double nan = NAN;
  const Array src = of({1, 6}, {-1, 0, 3, 6, 7, nan}), ones = of({1, 6}, {1, 1, 1, 1, 1, 1});
  CHECK(clamp_backward(src, 0, 6, ones).values == std::vector<double>{0, 0, 1, 0, 0, 1});
  CHECK(std::isnan(clamp(src, 0, 6).values[5]));
  for (const Unary& f : {Unary(silu), Unary(hard_swish), Unary(gelu)})
    CHECK(std::isnan(f(src).values[5]));
  CHECK(hard_swish_backward(of({1, 2}, {-3, 3}), of({1, 2}, {1, 1})).values ==
        std::vector<double>{0, 1});
  const Array square = of({1, 1, 2, 2}, {1, 5, 5, 2}), dy = of({1, 1, 1, 1}, {4});
  CHECK(max_pool2d_backward(square, {}, dy).values == std::vector<double>{0, 4, 0, 0});
  const Array with_nan = of({1, 1, 2, 2}, {1, nan, 5, 2});
  CHECK(std::isnan(max_pool2d(with_nan, {}).values[0]));
  CHECK(max_pool2d_backward(with_nan, {}, dy).values == std::vector<double>{0, 4, 0, 0});
  // A gradient that does not pass is 0, whatever it was.
  CHECK(relu_backward(of({1}, {-1}), of({1}, {nan})).values == std::vector<double>{0});
}

TEST_CASE("reference: what does not fit is named in one line") {
  const Array images({1, 2, 3, 3}), features({1, 2});
  CHECK_THROWS_WITH_AS(Array({2, -1}), "a shape cannot be (2,-1)", std::invalid_argument);
  CHECK_THROWS_WITH(conv2d(features, Array({1, 2, 1, 1}), {}, {}),
                    "conv2d: expected src (N,C,H,W), got (1,2)");
  CHECK_THROWS_WITH(conv2d(images, Array({4, 2, 1, 1}), {}, {.groups = 2}),
                    "conv2d: weight (4,2,1,1) in 2 groups does not fit src (1,2,3,3)");
  CHECK_THROWS_WITH(conv2d(images, Array({4, 2, 4, 1}), {}, {}),
                    "conv2d: weight (4,2,4,1) does not fit into src (1,2,3,3)");
  CHECK_THROWS_WITH(conv2d(images, Array({4, 2, 1, 1}), Array({3}), {}),
                    "conv2d: expected bias (4), got (3)");
  CHECK_THROWS_WITH(conv2d_backward(images, Array({4, 2, 1, 1}), {}, Array({1, 4, 2, 3})),
                    "conv2d_backward: expected dy (1,4,3,3), got (1,4,2,3)");
  CHECK_THROWS_WITH(conv2d(images, Array({4, 2, 1, 1}), {}, {.stride = 0}),
                    "conv2d: stride and dilation must be positive");
  CHECK_THROWS_WITH(batch_moments(Array({2})),
                    "batch_moments: expected src (N,C) or (N,C,H,W), got (2)");
  CHECK_THROWS_WITH(frozen_batch_norm(images, Array({3}), Array({2}), {Array({2}), Array({2})}, {}),
                    "batch_norm: expected weight (2), got (3)");
  CHECK_THROWS_WITH(max_pool2d(images, {.kernel_size = 4}),
                    "pool2d: a window of 4 does not fit into 3 pixels");
  CHECK_THROWS_WITH(avg_pool2d(images, {.kernel_size = 3, .padding = 2}),
                    "pool2d: padding must be from 0 to half the kernel");
  CHECK_THROWS_WITH(linear(features, Array({3, 4}), {}),
                    "linear: weight (3,4) does not fit src (1,2)");
  CHECK_THROWS_WITH(add(images, features), "add: expected b (1,2,3,3), got (1,2)");
  CHECK_THROWS_WITH(concat({images, Array({1, 5, 3, 2})}),
                    "concat: expected src (1,5,3,3), got (1,5,3,2)");
  CHECK_THROWS_WITH(clamp(images, 1, 1), "clamp: from 1.000000 to 1.000000 lies nothing");
  CHECK_THROWS_WITH(softmax(images), "softmax: expected src (N,C), got (1,2,3,3)");
  CHECK_THROWS_WITH(dropout(images, images, 1),
                    "dropout: probability must be in [0,1), got 1.000000");
  const std::vector<int64_t> labels = {2};
  CHECK_THROWS_WITH(softmax_cross_entropy(features, labels),
                    "softmax_cross_entropy: label 2 of 2 classes");
  Array weight({2}), velocity({3});
  CHECK_THROWS_WITH(sgd_step(weight, velocity, weight, {}),
                    "sgd_step: expected velocity (2), got (3)");
}

TEST_CASE("reference: includes the standard library and itself alone") {
  const std::filesystem::path folder = LIMBIC_SOURCE_DIR "/reference";
  int includes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with("#include ")) continue;
      CAPTURE(entry.path());
      CAPTURE(line);
      ++includes;
      const std::string name = line.substr(10, line.size() - 11);
      // The standard's own headers have no ending and no folder.
      CHECK((line[9] == '<' ? name.find_first_of("./") == std::string::npos
                            : std::filesystem::exists(folder / name)));
    }
  }
  CHECK(includes > 30);
}
