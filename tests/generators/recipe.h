#pragma once
// tests/generators: random networks and histories, with shrinkers that print the smallest failure.
#include <string>
#include <vector>

#include "limbic/nn/graph/graph.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/pool2d.h"

namespace limbic::generators {

/// One layer of a random network; which fields count depends on the kind.
struct Layer {
  enum class Kind {
    conv,
    norm,
    relu,
    relu6,
    silu,
    hard_swish,
    gelu,
    sigmoid,
    tanh,
    leaky_relu,
    upsample,
    dropout,
    max_pool,
    avg_pool,
    adaptive,
    global,
    linear,
    flatten,
    softmax,
    add,
    concat,
    slice_pad
  } kind = Kind::relu;
  std::vector<int> src;  ///< Values: 0 is the input, i + 1 is layer i's.
  int64_t channels = 1;  ///< conv, linear: out. slice_pad: behind.
  int64_t before = 0;    ///< slice_pad.
  Size2 kernel_size = 1, stride = 1, dilation = 1, output = 1;
  Padding padding = 0;
  int64_t groups = 1;
  bool flag = false;  ///< conv, linear: bias. Pools: ceil mode.
  bool include = true;
  bool same = false;  ///< conv: padding is "same".
};

/// A network as data, so that it can be drawn, built, cut down and printed.
struct Recipe {
  Shape input = {1, 1, 1, 1};
  std::vector<Layer> layers;

  /// Value i of a graph, or a call of the layer functions as C++.
  std::vector<Value> build(Graph& graph) const;
  std::string code() const;
  /// Shapes of all values; throws Error where they do not fit.
  std::vector<Shape> shapes() const;
};

/// A network of up to `size` layers, biased towards what plan passes look for: sums of every kind,
/// dense blocks, values with several readers.
Recipe random_recipe(uint64_t seed, int size);

/// Simpler networks to try instead, the simplest first: without a layer, with fewer channels, a
/// smaller picture. Some do not build.
std::vector<Recipe> simpler(const Recipe& recipe);

/// The name of layer i's value, and of its parameters' path.
std::string name_of(int layer);

}  // namespace limbic::generators
