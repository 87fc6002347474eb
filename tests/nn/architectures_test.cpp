// What the networks consist of, layer by layer, against torchvision's (architectures.json);
// shortcuts of the CIFAR ResNets against the source of their public checkpoint.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "limbic/models/models.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/reshape.h"

using namespace limbic;
using namespace limbic::models;
using nlohmann::json;

namespace {

json read_golden() {
  const std::string path = LIMBIC_SOURCE_DIR "/tests/goldens/architectures.json";
  std::ifstream in(path);
  require(in.good(), path, ": missing; make it with tests/goldens/make_architecture_goldens.py");
  return json::parse(in);
}

template <class T>
const T* op_of(const Node& node) {
  return dynamic_cast<const T*>(node.op.get());
}

std::string both(Size2 x) { return str_cat(x.h, "x", x.w); }

std::string both(const Padding& p) {
  if (p.top != p.bottom || p.left != p.right)
    return str_cat(p.top, ",", p.left, ",", p.bottom, ",", p.right);
  return str_cat(p.top, "x", p.left);
}

std::string short_number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", x);
  return text;
}

// As make_architecture_goldens.py writes it.
std::string describe(const Node& node) {
  if (!node.op) return "input";
  const std::string type = node.op->type();
  if (const auto* conv = op_of<Conv2d>(node)) {
    const Conv2dOptions& o = conv->options();
    return str_cat(type, " ", conv->in_channels(), ">", o.out_channels, " ", both(o.kernel_size),
                   " stride ", both(o.stride), " padding ", both(o.padding), " dilation ",
                   both(o.dilation), " groups ", o.groups, " bias ", int{o.bias}, " ", node.name);
  }
  if (const auto* norm = op_of<BatchNorm>(node))
    return str_cat(type, " ", norm->channels(), " eps ", short_number(norm->options().epsilon),
                   " momentum ", short_number(norm->options().momentum), " ", node.name);
  if (const auto* dense = op_of<Linear>(node))
    return str_cat(type, " ", dense->in_features(), ">", dense->options().out_features, " bias ",
                   int{dense->options().bias}, " ", node.name);
  if (const auto* pool = op_of<Pool2d>(node)) {
    const Pool2dOptions& o = pool->options();
    const std::string text = str_cat(type, " ", both(o.kernel_size), " stride ", both(o.stride),
                                     " padding ", both(o.padding), " ceil ", int{o.ceil_mode});
    const bool average = pool->kind() == Pool2d::Kind::average;
    return average ? str_cat(text, " counts padding ", int{o.count_include_pad}) : text;
  }
  if (const auto* pool = op_of<AdaptiveAvgPool2d>(node))
    return str_cat(type, " ", both(pool->output()));
  if (const auto* dropout = op_of<Dropout>(node))
    return str_cat(type, " ", short_number(dropout->probability()));
  return type;
}

// The layers that the logits come from, in the generator's order.
class Lines {
 public:
  Lines(const Graph& graph, const Shape& input) : graph_(graph), shapes_(graph.infer(input)) {
    for (const Node& node : graph.nodes()) {
      int depth = 0;
      for (const int s : node.src) depth = std::max(depth, depth_[static_cast<size_t>(s)]);
      depth_.push_back(depth + 1);
    }
    number_.assign(depth_.size(), -1);
    visit(graph.find("logits"));
  }
  std::vector<std::string> lines;

 private:
  int visit(int n) {
    int& number = number_[static_cast<size_t>(n)];
    if (number >= 0) return number;
    const Node& node = graph_.node(n);
    std::vector<int> src = node.src;
    const std::string text = describe(node);
    if (text == "add")
      std::stable_sort(src.begin(), src.end(), [&](int a, int b) {
        return depth_[static_cast<size_t>(a)] > depth_[static_cast<size_t>(b)];
      });
    std::string read;
    for (const int s : src) read += (read.empty() ? "" : " ") + std::to_string(visit(s));
    lines.push_back(str_cat(text, " ", to_string(shapes_[static_cast<size_t>(n)]), " < ", read));
    return number = static_cast<int>(lines.size()) - 1;
  }

  const Graph& graph_;
  std::vector<Shape> shapes_;
  std::vector<int> depth_, number_;
};

std::string hash_of(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += (all.empty() ? "" : "\n") + line;
  char text[32];
  std::snprintf(text, sizeof text, "%016lx", hash_name(all.c_str()));
  return text;
}

const ParameterSpec* find_spec(const std::vector<ParameterSpec>& specs, const std::string& name) {
  const auto found = std::find_if(specs.begin(), specs.end(),
                                  [&](const ParameterSpec& s) { return s.name == name; });
  return found == specs.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("architectures: every layer and what it reads is torchvision's") {
  const json golden = read_golden();
  for (const auto& [name, expected] : golden.at("networks").items()) {
    const auto& network = name;  // clang 14 cannot capture a structured binding
    CAPTURE(network);
    const Model model = build_model(name, golden.at("classes"));
    const std::vector<std::string> lines = Lines(model.graph, golden.at("shape")).lines;
    if (expected.is_array()) {
      CHECK(lines.size() == expected.size());
      for (size_t i = 0; i < std::min(lines.size(), expected.size()); ++i)
        CHECK(lines[i] == expected[i].get<std::string>());
    } else {
      CHECK(lines.size() == expected.at("lines").get<size_t>());
      CHECK(hash_of(lines) == expected.at("hash").get<std::string>());
    }
  }
}

TEST_CASE("architectures: first values are drawn as torchvision draws them") {
  const json golden = read_golden();
  for (const auto& [name, parameters] : golden.at("initial").items()) {
    const Model model = build_model(name, 1000);
    for (const auto& [parameter, drawn] : parameters.items()) {
      const auto& key = parameter;  // clang 14 cannot capture a structured binding
      const auto& which = name;     // clang 14 cannot capture a structured binding
      CAPTURE(which);
      CAPTURE(key);
      const size_t dot = key.rfind('.');
      const auto specs = model.graph.node(model.graph.find(key.substr(0, dot))).op->parameters();
      const ParameterSpec* spec = find_spec(specs, key.substr(dot + 1));
      REQUIRE(spec != nullptr);
      const double n = drawn[0], rms = drawn[1], largest = drawn[2];
      CHECK(count(spec->shape) == static_cast<int64_t>(n));
      using Kind = Initialiser::Kind;
      const bool constant = rms == largest, uniform = largest < 1.8 * rms;
      CHECK(spec->init.kind == (constant  ? Kind::constant
                                : uniform ? Kind::uniform
                                          : Kind::normal));
      // The deviation of a sample's rms is below 1 / sqrt(2 n); the largest of n lies near the
      // bound.
      const double measured = uniform && !constant ? largest : rms;
      CHECK(spec->init.value ==
            doctest::Approx(measured).epsilon(constant ? 1e-6 : 4 / std::sqrt(n)));
    }
  }
}

TEST_CASE("architectures: norms begin as the identity everywhere, and every bias of Keras' at 0") {
  for (const std::string& name : model_names()) {
    CAPTURE(name);
    const Model model = build_model(name, 10);
    for (const Node& node : model.graph.nodes()) {
      if (!node.op) continue;
      const bool is_norm = op_of<BatchNorm>(node) != nullptr;
      for (const ParameterSpec& spec : node.op->parameters()) {
        const bool is_bias = spec.name == "bias" || spec.name == "running_mean";
        if (!is_norm && !(name.starts_with("keras_") && is_bias)) continue;
        CAPTURE(node.name);
        CAPTURE(spec.name);
        CHECK(spec.init.kind == Initialiser::Kind::constant);
        const bool is_one = spec.name == "weight" || spec.name == "running_var";
        CHECK(spec.init.value == (is_one ? 1 : 0));
      }
    }
  }
}

TEST_CASE("architectures: CIFAR shortcuts take every second pixel between as many zeros") {
  // Option A as in the source of resnet20-12fca82f: x[:, :, ::2, ::2], planes/4 zeros on each side.
  for (const std::string name : {"resnet8", "resnet20", "resnet56"}) {
    const Model model = build_model(name, 10);
    std::vector<int64_t> widths;
    for (const Node& node : model.graph.nodes()) {
      const auto* shortcut = op_of<StridedSlicePad>(node);
      if (!shortcut) continue;
      CAPTURE(name);
      CAPTURE(node.name);
      CHECK(both(shortcut->options().stride) == "2x2");
      CHECK(shortcut->options().channels_before == node.channels / 4);
      CHECK(shortcut->options().channels_after == node.channels / 4);
      widths.push_back(node.channels);
    }
    CHECK(widths == std::vector<int64_t>{32, 64});
  }
  // 6n + 2 layers with weights (section 4.2).
  for (const auto& [name, layers] :
       std::vector<std::pair<std::string, int64_t>>{{"resnet8", 8},
                                                    {"resnet14", 14},
                                                    {"resnet20", 20},
                                                    {"resnet32", 32},
                                                    {"resnet44", 44},
                                                    {"resnet56", 56},
                                                    {"resnet110", 110}}) {
    const Model model = build_model(name, 10);
    const auto& nodes = model.graph.nodes();
    CHECK(std::count_if(nodes.begin(), nodes.end(), [](const Node& node) {
            return op_of<Conv2d>(node) || op_of<Linear>(node);
          }) == layers);
  }
}

TEST_CASE("models: features, logits and every stage can be asked for, where the network has them") {
  const std::map<std::string, int64_t> sides = {{"densenet_small", 32}, {"resnet50", 224}};
  for (const std::string& name : model_names()) {
    CAPTURE(name);
    const Model model = build_model(name, 7);
    CHECK(model.classes == 7);
    std::vector<int> nodes;
    REQUIRE((name.starts_with("keras_") || !model.stages.empty()));  // the tiny ones have none
    for (const std::string& stage : model.stages) {
      CAPTURE(stage);
      REQUIRE(model.graph.labels().count(stage) == 1);
      nodes.push_back(model.graph.find(stage));
    }
    for (const char* label : {"features", "logits"}) {
      REQUIRE(model.graph.labels().count(label) == 1);
      nodes.push_back(model.graph.find(label));
    }
    CHECK(std::is_sorted(nodes.begin(), nodes.end()));
    CHECK(std::adjacent_find(nodes.begin(), nodes.end()) == nodes.end());
    const auto shapes = model.graph.infer({1, 3, model.image_size, model.image_size});
    CHECK(shapes[static_cast<size_t>(nodes.back())] == Shape{1, 7});
    CHECK(shapes[static_cast<size_t>(nodes[nodes.size() - 2])].size() == 2);
    if (sides.count(name)) CHECK(model.image_size == sides.at(name));
  }
}
