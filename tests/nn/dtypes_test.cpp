// Which values of an int8 plan have 8 bits (nn/calibrate.h, quantised_dtypes).
#include <doctest/doctest.h>

#include "limbic/nn/compile/dtypes.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/pool2d.h"

using namespace limbic;

namespace {

constexpr int64_t channels = 4;

Value append(Graph& g, const std::string& name, std::shared_ptr<const Op> op,
             std::vector<Value> src) {
  return g.append({.name = name, .op = std::move(op), .src = std::move(src), .channels = channels});
}

Value conv(Graph& g, const std::string& name, std::vector<Value> src, bool relu, bool sum = false) {
  const Conv2d plain(channels, {.out_channels = channels, .bias = false});
  return append(g, name,
                std::make_shared<Conv2d>(
                    plain.with({.sum = sum, .then = relu ? Activation::relu() : Activation()})),
                std::move(src));
}

Value norm(Graph& g, const std::string& name, std::vector<Value> src, bool relu, bool add = false) {
  const BatchNorm plain(channels, {});
  return append(g, name,
                std::make_shared<BatchNorm>(
                    plain.with({.add = add, .then = relu ? Activation::relu() : Activation()})),
                std::move(src));
}

// By name, for calibration of every node, as after the passes and without Quantise.
std::map<std::string, DType> choose(const Graph& g, DType wide = DType::f32,
                                    const std::string& left_out = "",
                                    const std::string& kept_wide = "") {
  Calibration calibration;
  std::vector<bool> keep;
  for (const Node& node : g.nodes()) {
    if (node.name != left_out) calibration[node.name] = 1;
    keep.push_back(node.name == kept_wide);
  }
  const auto dtypes = quantised_dtypes(g, g.infer({1, channels, 6, 6}), calibration, wide, keep);
  std::map<std::string, DType> out;
  for (int n = 0; n < dtypes.size(); ++n) out[g.node(n).name] = dtypes[n];
  return out;
}

}  // namespace

TEST_CASE(
    "dtypes: 8 bits where a norm, a pool or a convolution ends in a ReLU and convolutions read") {
  Graph g;
  const Value x = g.input(channels);
  const Value a = norm(g, "norm", {x}, true);
  const Value b = conv(g, "conv", {a}, true);
  const Value c = append(
      g, "pool",
      std::make_shared<Pool2d>(Pool2d::Kind::max, Pool2dOptions{.kernel_size = 2, .stride = 2}),
      {b});
  const Value d = conv(g, "open", {c}, false);  // its values may be negative
  const Value e = norm(g, "open norm", {d}, false);
  const Value f = norm(g, "adding norm", {e, d}, true, true);
  const Value last = conv(g, "last", {f}, true);
  append(g, "mean", std::make_shared<GlobalAvgPool>(), {last});
  for (const DType wide : {DType::f32, DType::bf16}) {
    const auto dtypes = choose(g, wide);
    CHECK(dtypes.at("input") == wide);
    CHECK(dtypes.at("norm") == DType::u8);
    CHECK(dtypes.at("conv") == DType::u8);
    CHECK(dtypes.at("pool") == DType::u8);
    CHECK(dtypes.at("open") == wide);
    CHECK(dtypes.at("open norm") == wide);
    CHECK(dtypes.at("adding norm") == wide);
    CHECK(dtypes.at("last") == wide);  // its src has no 8 bits
    CHECK(dtypes.at("mean") == DType::f32);
  }
  // What has no range, or shall stay wide, takes the convolution behind it along; a pool can go
  // from wide values to 8 bits.
  for (const auto& dtypes : {choose(g, DType::f32, "norm"), choose(g, DType::f32, "", "norm")}) {
    CHECK(dtypes.at("norm") == DType::f32);
    CHECK(dtypes.at("conv") == DType::f32);
    CHECK(dtypes.at("pool") == DType::u8);
  }
  // A pool reads 8 bits and writes wide values where its own have no range.
  const auto wide_pool = choose(g, DType::f32, "pool");
  CHECK(wide_pool.at("conv") == DType::u8);
  CHECK(wide_pool.at("pool") == DType::f32);
}

TEST_CASE("dtypes: what a sum is written over has its 8 bits, or neither has") {
  const auto build = [](Graph& g, bool read_twice, bool relu) {
    const Value x = norm(g, "norm", {g.input(channels)}, true);
    const Value a = conv(g, "shortcut", {x}, false), b = conv(g, "inner", {x}, true);
    const Value sum = conv(g, "sum", {b, a}, relu, true);
    conv(g, "reader", {sum}, false);
    if (read_twice) append(g, "mean", std::make_shared<GlobalAvgPool>(), {a});
  };
  Graph once, twice, open;
  build(once, false, true);
  auto dtypes = choose(once);
  CHECK(dtypes.at("shortcut") == DType::i8);
  CHECK(dtypes.at("inner") == DType::u8);
  CHECK(dtypes.at("sum") == DType::u8);
  CHECK(dtypes.at("reader") == DType::f32);
  dtypes = choose(once, DType::f32, "shortcut");
  CHECK(dtypes.at("shortcut") == DType::f32);
  CHECK(dtypes.at("sum") == DType::f32);
  dtypes = choose(once, DType::f32, "sum");
  CHECK(dtypes.at("shortcut") == DType::f32);
  build(twice, true, true);
  dtypes = choose(twice);
  CHECK(dtypes.at("shortcut") == DType::f32);
  CHECK(dtypes.at("sum") == DType::f32);
  build(open, false, false);
  dtypes = choose(open);
  CHECK(dtypes.at("shortcut") == DType::f32);
  CHECK(dtypes.at("sum") == DType::f32);
}
