#include "nn/graph.h"

namespace limbic {

int64_t Value::channels() const { return graph->node(node).channels; }

Value Graph::input(int64_t channels) {
  require(nodes_.empty(), "Graph::input must be called once, before any layer");
  nodes_.push_back(
      {.name = "input", .op = nullptr, .src = {}, .parameters = {}, .channels = channels});
  names_["input"] = 0;
  return {this, 0};
}

Value Graph::append(NewNode added) {
  std::string name = added.name;
  for (int i = 1; names_.count(name); ++i) name = str_cat(added.name, "_", i);
  const int index = static_cast<int>(nodes_.size());
  Node node{.name = name,
            .op = std::move(added.op),
            .src = {},
            .parameters = {},
            .channels = added.channels,
            .positions = added.positions};
  for (const Value& v : added.src) {
    require(v.graph == this, name, ": its input belongs to another graph");
    node.src.push_back(v.node);
  }
  for (const auto& spec : node.op->parameters()) node.parameters.push_back(name + "." + spec.name);
  nodes_.push_back(std::move(node));
  names_[name] = index;
  return {this, index};
}

int Graph::append_node(Node node, const std::string& other_name) {
  const int index = static_cast<int>(nodes_.size());
  names_[node.name] = names_[other_name] = index;
  nodes_.push_back(std::move(node));
  return index;
}

void Graph::label(const std::string& name, Value value) { labels_[name] = value.node; }

int Graph::find(const std::string& name) const {
  if (const auto found = labels_.find(name); found != labels_.end()) return found->second;
  if (const auto found = names_.find(name); found != names_.end()) return found->second;
  std::string known;
  for (const auto& [label, node] : labels_) known += (known.empty() ? "" : ", ") + label;
  fail("the network has no layer '", name, "'; its outputs are: ", known);
}

std::vector<Shape> Graph::infer(const Shape& input) const {
  std::vector<Shape> shapes;
  for (const Node& node : nodes_) {
    if (!node.op) {
      require(input.size() == 4 && input[1] == node.channels && count(input) > 0,
              "input: expected (N,", node.channels, ",H,W), got ", to_string(input));
      shapes.push_back(input);
      continue;
    }
    std::vector<Shape> src;
    for (int s : node.src) src.push_back(shapes[static_cast<size_t>(s)]);
    try {
      shapes.push_back(node.op->infer(src));
    } catch (const Error& e) {
      fail(node.name, ": ", e.what());
    }
  }
  return shapes;
}

Parameters Graph::initialise(uint64_t seed) const {
  return initialise(seed, [](const std::string&, const Shape&) { return true; });
}

Parameters Graph::initialise(uint64_t seed, const Wanted& wanted) const {
  Parameters out;
  for (const Node& node : nodes_) {
    if (!node.op) continue;
    const auto specs = node.op->parameters();
    for (size_t i = 0; i < specs.size(); ++i) {
      const auto& [kind, value] = specs[i].init;
      const bool open = specs[i].dtype == DType::f32 && !wanted(node.parameters[i], specs[i].shape);
      Tensor tensor =
          open ? Tensor::uninitialised(specs[i].shape) : Tensor(specs[i].shape, specs[i].dtype);
      if (specs[i].dtype == DType::f32 && !open) {
        Random random(seed, hash_name(node.parameters[i].c_str()));
        for (float& x : tensor.values()) {
          if (kind == Initialiser::Kind::constant) x = static_cast<float>(value);
          if (kind == Initialiser::Kind::normal) x = static_cast<float>(value * random.normal());
          if (kind == Initialiser::Kind::uniform)
            x = static_cast<float>(random.uniform(-value, value));
        }
      }
      out.add(node.parameters[i], std::move(tensor), specs[i].trainable);
    }
  }
  return out;
}

}  // namespace limbic
