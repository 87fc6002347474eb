#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "limbic/models/blocks.h"
#include "limbic/nn/cpu/onednn/compat.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/concat.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/local_response_norm.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/reshape.h"
#include "limbic/nn/ops/softmax.h"
#include "limbic/nn/ops/upsample.h"
#include "limbic/twins/check_gradient.h"

using namespace limbic;
using namespace limbic::twins;
using namespace limbic::models;

namespace {

GradientCase conv_case(const std::string& name, Shape input, const Conv2dOptions& o) {
  return {name, [=](Graph& g) { return conv2d(g.root() / "conv", g.input(input[1]), o); }, input};
}

GradientCase unary(const std::string& name, Shape input, Value (*op)(Value)) {
  return {name, [=](Graph& g) { return op(g.input(input[1])); }, input};
}

GradientCase pool_case(const std::string& name, Shape input, const Pool2dOptions& o, bool max) {
  return {name,
          [=](Graph& g) {
            const Value x = g.input(input[1]);
            return max ? max_pool2d(x, o) : avg_pool2d(x, o);
          },
          input};
}

GradientCase response_case(const std::string& name, Shape input,
                           const LocalResponseNormOptions& o) {
  return {name, [=](Graph& g) { return local_response_norm(g.input(input[1]), o); }, input};
}

GradientCase upsample_case(const std::string& name, Shape input, const UpsampleOptions& o) {
  return {name, [=](Graph& g) { return upsample(g.input(input[1]), o); }, input};
}

// Every op over awkward shapes: odd sizes, stride 2, 1x1 to 7x7, groups, dilation, batch 1,
// channels that are no multiple of 16.
std::vector<GradientCase> cases() {
  const auto norm = [](Graph& g) { return batch_norm(g.root() / "bn", g.input(5)); };
  const auto norm_relu = [](Graph& g) { return relu(batch_norm(g.root() / "bn", g.input(17))); };
  const auto norm_add_relu = [](Graph& g) {
    const Value x = g.input(4);
    const Value y = conv2d(g.root() / "conv", x,
                           {.out_channels = 4, .kernel_size = 3, .padding = 1, .bias = false});
    return relu(add(batch_norm(g.root() / "bn", y), x));
  };
  const auto norm_add_itself_relu = [](Graph& g) {  // two gradients for one value
    const Value y = conv2d(g.root() / "conv", g.input(4), {.out_channels = 4, .bias = false});
    return relu(add(batch_norm(g.root() / "bn", y), y));
  };
  const auto norm_add_relu_and_more = [](Graph& g) {  // adds to a gradient that is there
    const Value x = g.input(4), y = conv2d(g.root() / "a", x, {.out_channels = 4, .bias = false});
    const Value z = relu(add(batch_norm(g.root() / "bn", y), x));
    return concat({z, conv2d(g.root() / "b", y, {.out_channels = 3})});
  };
  const auto gathered = [](Graph& g) {  // two batch norms over pieces, which share their moments
    const Value x = g.input(7);
    const Value a = conv2d(g.root() / "a", x, {.out_channels = 33, .bias = false});
    const Value b =
        conv2d(g.root() / "b", batch_norm(g.root() / "bn1", concat({x, a})), {.out_channels = 4});
    return concat({batch_norm(g.root() / "bn2", concat({x, a})), b});
  };
  const auto fan_out = [](Graph& g) {  // one value read four times
    const Value x = conv2d(g.root() / "conv", g.input(3), {.out_channels = 4});
    return concat({x, relu(x), add(x, relu(x))});
  };
  return {
      conv_case("conv2d 1x1", {2, 3, 5, 7}, {.out_channels = 5}),
      conv_case("conv2d 3x3", {1, 16, 6, 6},
                {.out_channels = 16, .kernel_size = 3, .padding = 1, .bias = false}),
      conv_case("conv2d 3x3 stride 2", {2, 5, 7, 9},
                {.out_channels = 17, .kernel_size = 3, .stride = 2, .padding = 1}),
      conv_case("conv2d 7x7 stride 2", {2, 3, 13, 11},
                {.out_channels = 8, .kernel_size = 7, .stride = 2, .padding = 3}),
      conv_case("conv2d 1x1 stride 2", {2, 6, 7, 7},
                {.out_channels = 4, .stride = 2, .bias = false}),
      conv_case("conv2d asymmetric padding", {1, 3, 6, 5},
                {.out_channels = 4, .kernel_size = 3, .stride = 2, .padding = {0, 0, 1, 1}}),
      conv_case("conv2d 1x5 kernel", {2, 3, 4, 9},
                {.out_channels = 4, .kernel_size = {1, 5}, .padding = {0, 2, 0, 2}}),
      conv_case("conv2d 1x1 stride 1x2, few channels", {2, 3, 14, 14},
                {.out_channels = 16, .kernel_size = 1, .stride = {1, 2}, .bias = false}),
      conv_case("conv2d 1x1 stride 2x1, fewer than 16 channels", {2, 12, 14, 14},
                {.out_channels = 16, .kernel_size = 1, .stride = {2, 1}}),
      conv_case("conv2d same padding", {1, 3, 7, 8},
                {.out_channels = 4, .kernel_size = 3, .stride = 2, .same_padding = true}),
      conv_case("conv2d dilation 2", {1, 4, 9, 8},
                {.out_channels = 3, .kernel_size = 3, .padding = 2, .dilation = 2}),
      conv_case("conv2d groups 2", {2, 6, 5, 5},
                {.out_channels = 4, .kernel_size = 3, .padding = 1, .groups = 2}),
      conv_case("conv2d depthwise", {2, 8, 6, 7},
                {.out_channels = 8,
                 .kernel_size = 3,
                 .stride = 2,
                 .padding = 1,
                 .groups = 8,
                 .bias = false}),
      {"batch_norm batch statistics", norm, {3, 5, 4, 3}},
      {"batch_norm batch 1", norm, {1, 5, 7, 7}},
      {"batch_norm running statistics", norm, {3, 5, 4, 3}, false},
      {"batch_norm frozen", norm, {3, 5, 4, 3}, true, {"bn"}},
      {"batch_norm relu", norm_relu, {2, 17, 5, 3}},
      {"batch_norm add relu", norm_add_relu, {2, 4, 5, 6}},
      {"batch_norm add relu of its own input", norm_add_itself_relu, {2, 4, 5, 6}},
      {"batch_norm add relu, its input read again", norm_add_relu_and_more, {2, 4, 5, 6}},
      {"batch_norm add relu, running", norm_add_relu, {2, 4, 5, 6}, false},
      {"batch_norm over pieces", gathered, {2, 7, 5, 6}},
      {"batch_norm over pieces, running", gathered, {2, 7, 5, 6}, false},
      unary("relu", {2, 3, 5, 7}, relu),
      unary("clamp", {2, 3, 5, 7}, [](Value x) { return activate(x, Activation::clamp(-0.5, 1)); }),
      unary("silu", {2, 3, 5, 7}, silu),
      unary("hard_swish", {2, 3, 5, 7}, hard_swish),
      unary("gelu", {2, 3, 5, 7}, gelu),
      unary("sigmoid", {2, 3, 5, 7}, sigmoid),
      unary("tanh", {2, 3, 5, 7}, tanh),
      unary("leaky_relu", {2, 3, 5, 7}, [](Value x) { return leaky_relu(x, 0.2f); }),
      unary("leaky_relu after convolution and batch norm", {3, 3, 6, 5},
            [](Value x) {
              const Value y = conv2d({x.graph, "c"}, x, {.out_channels = 9, .bias = false});
              return leaky_relu(batch_norm({x.graph, "bn"}, y), -0.5f);
            }),
      unary("sigmoid gate", {2, 3, 4, 4},
            [](Value x) {
              return sigmoid(linear({x.graph, "fc"}, global_avg_pool(x), {.out_features = 5}));
            }),
      unary("relu6", {2, 3, 5, 7},
            [](Value x) {
              return relu6(conv2d({x.graph, "c"}, x, {.out_channels = 9, .kernel_size = 5}));
            }),
      pool_case("max_pool2d 3x3 stride 2", {2, 5, 9, 8}, {.kernel_size = 3, .padding = 1}, true),
      pool_case("max_pool2d ceil", {1, 3, 8, 6}, {.kernel_size = 3, .stride = 2, .ceil_mode = true},
                true),
      pool_case("max_pool2d over padded zeros", {2, 5, 9, 8},
                {.kernel_size = 3, .padding = 1, .zero_padding = true}, true),
      pool_case("max_pool2d ceil, the only window hangs over", {2, 3, 2, 5},
                {.kernel_size = 3, .stride = 2, .ceil_mode = true}, true),
      pool_case("max_pool2d ceil, a window too many", {2, 3, 3, 3},
                {.kernel_size = 2, .padding = 1, .ceil_mode = true}, true),
      pool_case("max_pool2d stride > kernel", {1, 17, 8, 7}, {.kernel_size = 1, .stride = 3}, true),
      pool_case("avg_pool2d", {2, 5, 8, 6}, {}, false),
      pool_case("avg_pool2d pad ceil", {2, 3, 8, 9},
                {.kernel_size = 3, .padding = 1, .ceil_mode = true}, false),
      pool_case("avg_pool2d pad ceil, the only window hangs over", {2, 3, 1, 2},
                {.kernel_size = {4, 3}, .padding = {1, 1, 1, 0}, .ceil_mode = true}, false),
      pool_case("avg_pool2d pad not counted", {2, 3, 7, 9},
                {.kernel_size = 3, .padding = 1, .count_include_pad = false}, false),
      unary("adaptive_avg_pool2d", {2, 3, 7, 10},
            [](Value x) {
              return adaptive_avg_pool2d(x, {3, 4});
            }),
      unary("adaptive_avg_pool2d larger than its input", {1, 3, 2, 3},
            [](Value x) { return adaptive_avg_pool2d(x, 5); }),
      unary("global_avg_pool", {3, 7, 5, 4}, global_avg_pool),
      upsample_case("upsample nearest", {2, 17, 3, 5}, {}),
      upsample_case("upsample nearest, one axis, odd", {1, 3, 4, 1}, {.scale = {1, 3}}),
      upsample_case("upsample bilinear", {2, 5, 3, 7}, {.mode = UpsampleOptions::Mode::bilinear}),
      upsample_case("upsample bilinear 3x5", {1, 19, 2, 3},
                    {.scale = {3, 5}, .mode = UpsampleOptions::Mode::bilinear}),
      upsample_case("upsample bilinear of one pixel", {3, 2, 1, 1},
                    {.scale = {4, 2}, .mode = UpsampleOptions::Mode::bilinear}),
      upsample_case("upsample bilinear of more channels than a block", {1, 1027, 1, 2},
                    {.mode = UpsampleOptions::Mode::bilinear}),
      unary("upsample by 1", {2, 3, 4, 5},
            [](Value x) {
              return upsample(x, {.scale = 1, .mode = UpsampleOptions::Mode::bilinear});
            }),
      unary("upsample, concat with what came before", {2, 3, 6, 4},
            [](Value x) {
              const Value y = relu(conv2d({x.graph, "c"}, x, {.out_channels = 4, .stride = 2}));
              return conv2d({x.graph, "d"}, concat({x, upsample(y)}), {.out_channels = 2});
            }),
      unary("linear", {3, 5, 4, 4},
            [](Value x) {
              return linear({x.graph, "fc"}, global_avg_pool(x), {.out_features = 4});
            }),
      unary("flatten, linear without bias", {3, 2, 6, 6},
            [](Value x) {
              return linear({x.graph, "fc"}, flatten(adaptive_avg_pool2d(x, 2)),
                            {.out_features = 3, .bias = false});
            }),
      response_case("local_response_norm", {2, 17, 5, 3}, {.alpha = 0.7}),
      response_case("local_response_norm of CaffeNet", {1, 96, 3, 3}, {}),
      response_case("local_response_norm, an even window, another power", {2, 7, 3, 2},
                    {.size = 4, .alpha = 2, .beta = 1.3, .k = 2}),
      response_case("local_response_norm, a window of one", {3, 5, 1, 2}, {.size = 1, .alpha = 1}),
      response_case("local_response_norm wider than its channels", {1, 3, 2, 2},
                    {.size = 9, .alpha = 1, .beta = 0.5}),
      response_case("local_response_norm of more channels than a block", {1, 1027, 1, 2},
                    {.alpha = 1}),
      {"add, concat, fan-out", fan_out, {2, 3, 4, 5}},
      unary("add to itself", {2, 3, 4, 5}, [](Value x) { return add(x, x); }),
      unary("softmax", {3, 11, 2, 2}, [](Value x) { return softmax(global_avg_pool(x)); }),
      unary("dropout off", {2, 3, 4, 4}, [](Value x) { return dropout(x, 0.5); }),
      unary("strided_slice", {2, 3, 7, 6}, [](Value x) { return strided_slice(x, 2); }),
      unary("pad_channels", {2, 3, 5, 4}, [](Value x) { return pad_channels(x, 1, 3); }),
      unary("slice_pad", {2, 4, 7, 5},
            [](Value x) {
              return slice_pad(x, {.stride = 2, .channels_before = 2, .channels_after = 1});
            }),
      unary("block: basic", {2, 6, 7, 7},
            [](Value x) {
              return basic_block({x.graph, "b"}, x, 8, 2);
            }),
      unary("block: basic, identity", {2, 6, 5, 5},
            [](Value x) {
              return basic_block({x.graph, "b"}, x, 6, 1);
            }),
      unary("block: bottleneck", {2, 6, 7, 5},
            [](Value x) {
              return bottleneck({x.graph, "b"}, x, 3, 2);
            }),
      unary("block: dense", {2, 5, 5, 6},
            [](Value x) {
              return dense_block({x.graph, "d"}, x, 3, {.growth_rate = 3});
            }),
  };
}

}  // namespace

TEST_CASE("ops: output, statistics and gradients equal the naive f64 twin's") {
  std::set<std::string> covered;
  for (const GradientCase& c : cases()) {
    Graph graph;
    c.build(graph);
    for (const Node& node : graph.nodes())
      if (node.op) covered.insert(node.op->type());
    for (bool fuse : {false, true}) {
      CAPTURE(c.name);
      CAPTURE(fuse);
      const GradientErrors errors = check_gradient(c, fuse);
      CAPTURE(errors.worst);
      CHECK(errors.output < 2e-6);
      CHECK(errors.gradient < 1e-5);
      CHECK(errors.twin < 1e-7);
      CHECK(errors.statistics < 1e-6);
    }
  }
  std::string list;
  for (const auto& type : covered) list += (list.empty() ? "" : " ") + type;
  MESSAGE("checked: " << list);
  CHECK(list ==
        "adaptive_avg_pool2d add avg_pool2d batch_norm clamp concat conv2d dropout flatten gelu "
        "global_avg_pool hard_swish leaky_relu linear local_response_norm max_pool2d relu relu6 "
        "sigmoid silu slice_pad softmax tanh upsample");
}

TEST_CASE("ops: the measure of errors lets no NaN and no infinity pass") {
  const double values[] = {1, NAN, INFINITY};
  for (const double a : values)
    for (const double b : values) {
      const double error = relative_error(std::vector<double>{2, a}, std::vector<double>{2, b});
      CHECK(error == (a == 1 && b == 1 ? 0 : INFINITY));
      CHECK(std::max(0.0, error) == error);
    }
  CHECK_THROWS_AS(relative_error(std::vector<double>{1}, std::vector<double>{1, 2}), Error);
}

TEST_CASE("ops: bf16 differs from f32 by its rounding alone") {
  if (!onednn::has_bf16_instructions()) {
    MESSAGE("not run: this processor has no bf16 instructions");
    return;
  }
  for (const GradientCase& c : cases()) {
    CAPTURE(c.name);
    const GradientErrors errors = compare_dtype(c, DType::bf16);
    CAPTURE(errors.worst);
    CHECK(errors.output < 1e-2);
    // Where rounding turns a ReLU on or off, one element's whole gradient comes or goes: about one
    // in 300 does, and a block has several behind one another.
    const bool has_masks_in_chain = c.name.starts_with("block:");
    CHECK(errors.gradient < (has_masks_in_chain ? 0.5 : 3e-2));
    CHECK(errors.statistics < 3e-3);
  }
}

TEST_CASE("conv2d: same padding is Keras', whatever the size") {
  struct Row {
    int64_t size, kernel, stride, dilation, before, after, out;
  };
  for (const Row& r : std::vector<Row>{{32, 3, 2, 1, 0, 1, 16},
                                       {33, 3, 2, 1, 1, 1, 17},
                                       {33, 3, 1, 1, 1, 1, 33},
                                       {34, 1, 2, 1, 0, 0, 17},
                                       {32, 4, 1, 1, 1, 2, 32},
                                       {5, 3, 3, 2, 1, 2, 2},
                                       {1, 7, 2, 1, 3, 3, 1}}) {
    const Conv2d op(2, {.out_channels = 1,
                        .kernel_size = r.kernel,
                        .stride = r.stride,
                        .padding = 9,
                        .same_padding = true,
                        .dilation = r.dilation});
    const Shape src = {1, 2, r.size, 40};
    CAPTURE(r.size);
    CHECK(op.padding(src).top == r.before);
    CHECK(op.padding(src).bottom == r.after);
    CHECK(op.infer(std::vector<Shape>{src})[2] == r.out);
  }
}
