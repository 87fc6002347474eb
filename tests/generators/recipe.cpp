#include "tests/generators/recipe.h"

#include <algorithm>

#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/concat.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/reshape.h"
#include "limbic/nn/ops/softmax.h"
#include "limbic/nn/ops/upsample.h"

namespace limbic::generators {
namespace {

using Kind = Layer::Kind;

Conv2dOptions conv_options(const Layer& l) {
  return {.out_channels = l.channels,
          .kernel_size = l.kernel_size,
          .stride = l.stride,
          .padding = l.padding,
          .same_padding = l.same,
          .dilation = l.dilation,
          .groups = l.groups,
          .bias = l.flag};
}

Pool2dOptions pool_options(const Layer& l) {
  return {.kernel_size = l.kernel_size,
          .stride = l.stride,
          .padding = l.padding,
          .ceil_mode = l.flag,
          .count_include_pad = l.include,
          .zero_padding = l.include};
}

UpsampleOptions upsample_options(const Layer& l) {
  using Mode = UpsampleOptions::Mode;
  return {.scale = l.output, .mode = l.flag ? Mode::bilinear : Mode::nearest};
}

Value append(Graph& graph, const Layer& l, const std::string& name,
             const std::vector<Value>& values) {
  const auto src = [&](size_t i) { return values.at(static_cast<size_t>(l.src.at(i))); };
  const Scope scope = graph.root() / name;
  switch (l.kind) {
    case Kind::conv:
      return conv2d(scope, src(0), conv_options(l));
    case Kind::norm:
      return batch_norm(scope, src(0));
    case Kind::relu:
      return relu(src(0));
    case Kind::relu6:
      return relu6(src(0));
    case Kind::silu:
      return silu(src(0));
    case Kind::hard_swish:
      return hard_swish(src(0));
    case Kind::gelu:
      return gelu(src(0));
    case Kind::sigmoid:
      return sigmoid(src(0));
    case Kind::tanh:
      return tanh(src(0));
    case Kind::leaky_relu:
      return leaky_relu(src(0), 0.3f);
    case Kind::upsample:
      return upsample(src(0), upsample_options(l));
    case Kind::dropout:
      return dropout(src(0), 0.5);
    case Kind::max_pool:
      return max_pool2d(src(0), pool_options(l));
    case Kind::avg_pool:
      return avg_pool2d(src(0), pool_options(l));
    case Kind::adaptive:
      return adaptive_avg_pool2d(src(0), l.output);
    case Kind::global:
      return global_avg_pool(src(0));
    case Kind::linear:
      return linear(scope, src(0), {.out_features = l.channels, .bias = l.flag});
    case Kind::flatten:
      return flatten(src(0));
    case Kind::softmax:
      return softmax(src(0));
    case Kind::add:
      return add(src(0), src(1));
    case Kind::concat: {
      std::vector<Value> all;
      for (size_t i = 0; i < l.src.size(); ++i) all.push_back(src(i));
      return concat(all);
    }
    case Kind::slice_pad:
      return slice_pad(
          src(0), {.stride = l.stride, .channels_before = l.before, .channels_after = l.channels});
  }
  fail("unknown layer");
}

std::string text(const Size2& s) { return str_cat("{", s.h, ", ", s.w, "}"); }
std::string text(const Padding& p) {
  return str_cat("{", p.top, ", ", p.left, ", ", p.bottom, ", ", p.right, "}");
}

std::string call(const Layer& l, const std::string& name) {
  const auto v = [&](size_t i) { return str_cat("v", l.src[i]); };
  const std::string scope = str_cat("g.root() / \"", name, "\", ", v(0));
  const std::string window =
      str_cat(".kernel_size = ", text(l.kernel_size), ", .stride = ", text(l.stride),
              ", .padding = ", text(l.padding));
  const std::string pool =
      str_cat("(", v(0), ", {", window, ", .ceil_mode = ", l.flag ? "true" : "false",
              ", .count_include_pad = ", l.include ? "true" : "false",
              ", .zero_padding = ", l.include ? "true" : "false", "})");
  const std::string bias = str_cat(".bias = ", l.flag ? "true" : "false");
  switch (l.kind) {
    case Kind::conv:
      return str_cat("conv2d(", scope, ", {.out_channels = ", l.channels, ", ", window,
                     l.same ? ", .same_padding = true" : "", ", .dilation = ", text(l.dilation),
                     ", .groups = ", l.groups, ", ", bias, "})");
    case Kind::norm:
      return str_cat("batch_norm(", scope, ")");
    case Kind::relu:
      return str_cat("relu(", v(0), ")");
    case Kind::relu6:
      return str_cat("relu6(", v(0), ")");
    case Kind::silu:
      return str_cat("silu(", v(0), ")");
    case Kind::hard_swish:
      return str_cat("hard_swish(", v(0), ")");
    case Kind::gelu:
      return str_cat("gelu(", v(0), ")");
    case Kind::sigmoid:
      return str_cat("sigmoid(", v(0), ")");
    case Kind::tanh:
      return str_cat("tanh(", v(0), ")");
    case Kind::leaky_relu:
      return str_cat("leaky_relu(", v(0), ", 0.3f)");
    case Kind::upsample:
      return str_cat("upsample(", v(0), ", {.scale = ", text(l.output),
                     ", .mode = UpsampleOptions::Mode::", l.flag ? "bilinear" : "nearest", "})");
    case Kind::dropout:
      return str_cat("dropout(", v(0), ", 0.5)");
    case Kind::max_pool:
      return "max_pool2d" + pool;
    case Kind::avg_pool:
      return "avg_pool2d" + pool;
    case Kind::adaptive:
      return str_cat("adaptive_avg_pool2d(", v(0), ", ", text(l.output), ")");
    case Kind::global:
      return str_cat("global_avg_pool(", v(0), ")");
    case Kind::linear:
      return str_cat("linear(", scope, ", {.out_features = ", l.channels, ", ", bias, "})");
    case Kind::flatten:
      return str_cat("flatten(", v(0), ")");
    case Kind::softmax:
      return str_cat("softmax(", v(0), ")");
    case Kind::add:
      return str_cat("add(", v(0), ", ", v(1), ")");
    case Kind::concat: {
      std::string all;
      for (size_t i = 0; i < l.src.size(); ++i) all += (i ? ", " : "") + v(i);
      return str_cat("concat({", all, "})");
    }
    case Kind::slice_pad:
      return str_cat("slice_pad(", v(0), ", {.stride = ", text(l.stride),
                     ", .channels_before = ", l.before, ", .channels_after = ", l.channels, "})");
  }
  fail("unknown layer");
}

class Drawer {
 public:
  explicit Drawer(uint64_t seed) : random_(seed) {
    const int64_t channels[] = {1, 2, 3, 4, 5, 8, 16, 17, 33};
    const int64_t sizes[] = {1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12};
    recipe_.input = {1 + below(3), pick(channels), pick(sizes), pick(sizes)};
    if (chance(8)) recipe_.input = {2, 16, 13, 16};  // large enough for Winograd
    shapes_ = {recipe_.input};
  }

  Recipe draw(int size) {
    while (static_cast<int>(recipe_.layers.size()) < size) {
      const int64_t what = below(20);
      if (what < 3)
        residual();
      else if (what < 5)
        dense();
      else if (what < 6)
        sum_of_two();
      else if (what < 10)
        convolve(any(4), 0);
      else if (what < 12)
        norm(any(0));
      else if (what < 14)
        activation(any(0));
      else if (what < 15)
        pool(any(4));
      else if (what < 16)
        pair(Kind::add);
      else if (what < 17)
        pair(Kind::concat);
      else if (what < 18)
        slice(any(4));
      else if (what < 19)
        rare();
      else
        head();
    }
    return recipe_;
  }

 private:
  int64_t below(int64_t n) { return random_.below(n); }
  bool chance(int64_t one_in) { return below(one_in) == 0; }
  template <size_t n>
  int64_t pick(const int64_t (&list)[n]) {
    return list[below(static_cast<int64_t>(n))];
  }
  const Shape& shape(int value) const { return shapes_[static_cast<size_t>(value)]; }
  int last() const { return static_cast<int>(shapes_.size()) - 1; }

  // A value of this rank (0: of any), the newer ones rather.
  int any(size_t rank) {
    for (int tries = 0; tries < 20; ++tries) {
      const int back = static_cast<int>(below(chance(3) ? last() + 1 : std::min(last() + 1, 3)));
      const int value = last() - back;
      if (rank == 0 || shape(value).size() == rank) return value;
    }
    return 0;
  }

  // The new value, or -1 where the layer does not fit or grows too large.
  int add_layer(Layer layer) {
    Recipe longer = recipe_;
    longer.layers.push_back(std::move(layer));
    try {
      std::vector<Shape> shapes = longer.shapes();
      if (count(shapes.back()) > 12000) return -1;
      shapes_ = std::move(shapes);
    } catch (const Error&) {
      return -1;
    }
    recipe_ = std::move(longer);
    return last();
  }

  // out_channels 0: drawn. `same`: the picture keeps its size.
  int convolve(int src, int64_t out_channels, bool same = false) {
    const int64_t channels[] = {1, 2, 3, 4, 5, 8, 16, 17, 32};
    Layer l{.kind = Kind::conv, .src = {src}, .flag = chance(2)};
    if (shape(src).size() != 4) return -1;
    l.channels = out_channels > 0 ? out_channels : pick(channels);
    const int64_t in = shape(src)[1];
    const int64_t k = chance(2) ? 1 : 3;
    l.kernel_size = k;
    l.padding = k / 2;
    if (!same && chance(3)) {
      if (!chance(3)) l.kernel_size = {1 + below(5), 1 + below(5)};
      l.stride = {1 + below(3), 1 + below(3)};
      l.dilation = chance(3) ? Size2(1 + below(3), 1 + below(2)) : Size2(1);
      if (chance(2)) l.padding = {below(3), below(3), below(3), below(3)};
      l.same = chance(4);
    }
    if (chance(4)) l.groups = chance(2) ? in : 2;
    if (l.groups == in && out_channels == 0) l.channels = in * (1 + below(2));
    return add_layer(std::move(l));
  }
  int norm(int src) { return add_layer({.kind = Kind::norm, .src = {src}}); }
  int relu_of(int src) {
    return add_layer({.kind = chance(4) ? Kind::relu6 : Kind::relu, .src = {src}});
  }

  int maybe_norm(int src) {
    if (src < 0 || chance(3)) return src;
    const int out = norm(src);
    return chance(2) ? std::max(out, relu_of(out)) : out;
  }

  // Mostly the two that are fused.
  void activation(int src) {
    constexpr Kind kinds[] = {Kind::relu,    Kind::relu, Kind::relu,       Kind::relu6,
                              Kind::relu6,   Kind::silu, Kind::hard_swish, Kind::gelu,
                              Kind::sigmoid, Kind::tanh, Kind::leaky_relu};
    add_layer({.kind = kinds[below(std::size(kinds))], .src = {src}});
  }

  // A value of x's shape made of x by a convolution or without one, or x itself.
  int branch_of(int x) {
    if (!chance(3)) return maybe_norm(convolve(x, shape(x)[1], true));
    return chance(4) ? x : chance(3) ? relu_of(x) : norm(x);
  }

  // relu?(branch(x) + x), the sum either way round.
  void residual() {
    const int x = any(4);
    const int own = branch_of(x);
    if (own < 0) return;
    const bool swapped = chance(2);
    const int sum = add_layer({.kind = Kind::add, .src = {swapped ? own : x, swapped ? x : own}});
    if (sum >= 0 && chance(2)) relu_of(sum);
  }

  // conv(x) + conv(y), with or without norms and a ReLU behind, and once more.
  void sum_of_two() {
    const int x = any(4);
    const int64_t channels = 1 + below(9);
    const int a = maybe_norm(convolve(x, channels, true));
    const int b = maybe_norm(convolve(chance(4) && a > 0 ? a : x, channels, true));
    if (a < 0 || b < 0) return;
    int sum = add_layer({.kind = Kind::add, .src = {a, b}});
    if (sum >= 0 && chance(3))
      sum = add_layer({.kind = Kind::add, .src = {sum, chance(2) ? a : b}});
    if (sum >= 0 && chance(2)) relu_of(sum);
  }

  // Dense layers: each reads the concatenation of all before it through a norm.
  void dense() {
    std::vector<int> pieces = {any(4)};
    for (int64_t i = 1 + below(3); i > 0; --i) {
      int x = pieces[0];
      if (pieces.size() > 1) x = add_layer({.kind = Kind::concat, .src = pieces});
      if (x < 0) return;
      x = norm(x);
      if (!chance(3)) x = relu_of(x);
      x = convolve(x, 1 + below(6), true);
      if (x < 0) return;
      pieces.push_back(x);
    }
    if (chance(6)) pieces.push_back(pieces.front());  // one value twice
    const int all = add_layer({.kind = Kind::concat, .src = pieces});
    if (all >= 0 && chance(2)) norm(all);
  }

  void pool(int src) {
    Layer l{.kind = chance(2) ? Kind::max_pool : Kind::avg_pool, .src = {src}};
    l.kernel_size = {1 + below(3), 1 + below(3)};
    l.stride = {1 + below(3), 1 + below(3)};
    l.padding = {below(l.kernel_size.h / 2 + 1), below(l.kernel_size.w / 2 + 1),
                 below(l.kernel_size.h / 2 + 1), below(l.kernel_size.w / 2 + 1)};
    l.flag = chance(2);
    l.include = chance(2);
    add_layer(std::move(l));
  }

  void pair(Kind kind) {
    const int a = any(0);
    int b = a;
    for (int tries = 0; tries < 10; ++tries) {
      const int other = any(shape(a).size());
      Shape same = shape(other);
      if (kind == Kind::concat) same[1] = shape(a)[1];
      if (same == shape(a)) b = other;
      if (b != a) break;
    }
    add_layer({.kind = kind, .src = {a, b}});
  }

  void slice(int src) {
    Layer l{.kind = Kind::slice_pad, .src = {src}};
    l.stride = {1 + below(3), 1 + below(3)};
    l.before = below(4);
    l.channels = below(4);
    add_layer(std::move(l));
  }

  void rare() {
    if (chance(2))
      add_layer({.kind = Kind::dropout, .src = {any(0)}});
    else if (chance(2))
      add_layer({.kind = Kind::upsample,
                 .src = {any(4)},
                 .output = {1 + below(3), 1 + below(3)},
                 .flag = chance(2)});
    else
      add_layer({.kind = Kind::adaptive, .src = {any(4)}, .output = {1 + below(4), 1 + below(4)}});
  }

  void head() {
    int x = any(0);
    if (shape(x).size() == 4) {
      if (chance(2))
        x = add_layer({.kind = Kind::global, .src = {x}});
      else {
        x = add_layer({.kind = Kind::adaptive, .src = {x}, .output = {1 + below(2), 1 + below(3)}});
        if (x >= 0) x = add_layer({.kind = Kind::flatten, .src = {x}});
      }
    }
    if (x < 0) return;
    const int y =
        add_layer({.kind = Kind::linear, .src = {x}, .channels = 1 + below(20), .flag = chance(2)});
    if (y >= 0 && chance(3)) add_layer({.kind = Kind::softmax, .src = {y}});
  }

  Random random_;
  Recipe recipe_;
  std::vector<Shape> shapes_;
};

// The recipe without layer i, whose readers read `instead`.
Recipe without(const Recipe& recipe, size_t i, int instead) {
  Recipe out = recipe;
  out.layers.erase(out.layers.begin() + static_cast<int64_t>(i));
  const int gone = static_cast<int>(i) + 1;
  for (size_t k = i; k < out.layers.size(); ++k)
    for (int& s : out.layers[k].src) s = s == gone ? instead : s > gone ? s - 1 : s;
  return out;
}

}  // namespace

std::string name_of(int layer) { return str_cat("l", layer + 1); }

std::vector<Value> Recipe::build(Graph& graph) const {
  std::vector<Value> values = {graph.input(input.at(1))};
  for (size_t i = 0; i < layers.size(); ++i) {
    values.push_back(append(graph, layers[i], name_of(static_cast<int>(i)), values));
    graph.label("v" + std::to_string(i + 1), values.back());
  }
  return values;
}

std::vector<Shape> Recipe::shapes() const {
  Graph graph;
  build(graph);
  return graph.infer(input);
}

std::string Recipe::code() const {
  std::string out = str_cat("Graph g;  // input ", to_string(input), "\nValue v0 = g.input(",
                            input.at(1), ");\n");
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::string v = "v" + std::to_string(i + 1);
    out += str_cat("Value ", v, " = ", call(layers[i], name_of(static_cast<int>(i))),
                   "; g.label(\"", v, "\", ", v, ");\n");
  }
  return out;
}

Recipe random_recipe(uint64_t seed, int size) { return Drawer(seed).draw(size); }

std::vector<Recipe> simpler(const Recipe& recipe) {
  std::vector<Recipe> out;
  for (size_t i = recipe.layers.size(); i-- > 0;)
    for (int instead : recipe.layers[i].src) out.push_back(without(recipe, i, instead));
  for (size_t d = 0; d < 4; ++d)
    for (int64_t smaller : {int64_t{1}, recipe.input[d] / 2, recipe.input[d] - 1})
      if (smaller >= 1 && smaller < recipe.input[d]) {
        out.push_back(recipe);
        out.back().input[d] = smaller;
      }
  const auto variant = [&](size_t i, auto&& change) {
    Recipe changed = recipe;
    change(changed.layers[i]);
    if (changed.code() != recipe.code()) out.push_back(std::move(changed));
  };
  // One layer's channels, and those of all with as many.
  for (size_t i = 0; i < recipe.layers.size(); ++i)
    for (int64_t smaller :
         {int64_t{1}, recipe.layers[i].channels / 2, recipe.layers[i].channels - 1})
      if (smaller >= 1 && smaller < recipe.layers[i].channels) {
        variant(i, [&](Layer& l) { l.channels = smaller; });
        Recipe all = recipe;
        for (Layer& l : all.layers)
          if (l.channels == recipe.layers[i].channels) l.channels = smaller;
        if (all.input[1] == recipe.layers[i].channels) all.input[1] = smaller;
        out.push_back(std::move(all));
      }
  for (size_t i = 0; i < recipe.layers.size(); ++i) {
    variant(i, [](Layer& l) { l.kernel_size = 1, l.padding = 0; });
    variant(i, [](Layer& l) { l.stride = 1; });
    variant(i, [](Layer& l) { l.dilation = 1; });
    variant(i, [](Layer& l) { l.padding = 0, l.same = false; });
    variant(i, [](Layer& l) { l.groups = 1; });
    variant(i, [](Layer& l) { l.flag = false; });
    variant(i, [](Layer& l) { l.before = 0; });
    variant(i, [](Layer& l) { l.kernel_size = {l.kernel_size.h, 1}; });
    variant(i, [](Layer& l) { l.kernel_size = {1, l.kernel_size.w}; });
  }
  return out;
}

}  // namespace limbic::generators
