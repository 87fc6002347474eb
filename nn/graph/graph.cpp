#include "limbic/nn/graph/graph.h"

namespace limbic {

GraphHandle::GraphHandle(Graph* graph) {
  require(graph != nullptr, "a layer needs a graph, got a null pointer");
  if (!graph->self_) graph->self_ = std::make_shared<Graph*>(graph);
  graph_ = graph->self_;
}

Graph& GraphHandle::operator*() const {
  const std::shared_ptr<Graph*> graph = graph_.lock();
  require(graph != nullptr,
          "a Value or Scope without a graph was used: it comes from Graph::input, Graph::root or a "
          "layer, and is of use only while its graph lives");
  return **graph;
}

int64_t Value::channels() const { return graph->node(node).channels; }

void Graph::swap(Graph& other) noexcept {
  nodes_.swap(other.nodes_);
  labels_.swap(other.labels_);
  names_.swap(other.names_);
  self_.swap(other.self_);
  if (self_) *self_ = this;
  if (other.self_) *other.self_ = &other;
}

bool Graph::owns(const Value& value) const {
  return &*value.graph == this && value.node >= 0 && value.node < static_cast<int>(nodes_.size());
}

const Node& Graph::node(int index) const {
  require(index >= 0 && index < static_cast<int>(nodes_.size()), "the graph has ", nodes_.size(),
          " nodes, asked for number ", index, ": Graph::input comes first");
  return nodes_[static_cast<size_t>(index)];
}

Value Graph::input(int64_t channels) {
  require(nodes_.empty(), "Graph::input must be called once, before any layer");
  require(channels >= 1 && channels <= INT32_MAX, "input: expected channels from 1 on, got ",
          channels);
  nodes_.push_back(
      {.name = "input", .op = nullptr, .src = {}, .parameters = {}, .channels = channels});
  names_["input"] = 0;
  return {this, 0};
}

Value Graph::append(NewNode added) {
  std::string name = added.name;
  const auto specs = added.op->parameters();
  if (!specs.empty()) {
    require(!name.empty(), added.op->type(),
            ": a layer with parameters needs a name: graph.root() / \"conv1\"");
    require(names_.count(name) == 0, added.op->type(), ": there is a layer '", name,
            "' already, and its parameters have the same names");
  }
  for (int i = 1; names_.count(name); ++i) name = str_cat(added.name, "_", i);
  const int index = static_cast<int>(nodes_.size());
  Node node{.name = name,
            .op = std::move(added.op),
            .src = {},
            .parameters = {},
            .channels = added.channels,
            .positions = added.positions};
  for (const Value& v : added.src) {
    require(owns(v), name, ": its input belongs to another graph");
    node.src.push_back(v.node);
  }
  for (const auto& spec : specs) node.parameters.push_back(name + "." + spec.name);
  nodes_.push_back(std::move(node));
  names_[name] = index;
  return {this, index};
}

int Graph::append_node(Node node) {
  nodes_.push_back(std::move(node));
  return static_cast<int>(nodes_.size()) - 1;
}

void Graph::take_names(const Graph& from, const PerNode<std::optional<int>>& moved) {
  for (size_t n = 0; n < nodes_.size(); ++n) names_[nodes_[n].name] = static_cast<int>(n);
  for (const auto& [name, n] : from.names_)
    if (moved[n]) names_[name] = *moved[n];
  for (const auto& [label, n] : from.labels_)
    if (moved[n]) labels_[label] = *moved[n];
}

void Graph::label(const std::string& name, Value value) {
  require(owns(value), "label '", name, "': the value belongs to another graph");
  labels_[name] = value.node;
}

int Graph::find(const std::string& name) const {
  if (const auto found = labels_.find(name); found != labels_.end()) return found->second;
  if (const auto found = names_.find(name); found != names_.end()) return found->second;
  std::string known;
  for (const auto& [label, node] : labels_) known += (known.empty() ? "" : ", ") + label;
  fail("the network has no layer '", name, "'; its outputs are: ", known);
}

namespace {

// oneDNN counts in 32 bits.
void require_countable(const Shape& shape) {
  for (size_t i = 0; i < shape.size(); ++i)
    require(shape[i] >= 1 && shape[i] <= INT32_MAX, "a shape of ", to_string(shape),
            " cannot be computed: each dimension must be from 1 to 2^31 - 1");
  require(shape.size() < 4 || shape[2] * shape[3] <= INT32_MAX / shape[0], "a shape of ",
          to_string(shape), " cannot be computed: more than 2^31 - 1 pixels");
  count(shape);
}

}  // namespace

std::vector<Shape> Graph::infer(const Shape& input) const {
  require(!nodes_.empty(), "the graph is empty: it begins with Graph::input");
  std::vector<Shape> shapes;
  for (const Node& node : nodes_) {
    if (!node.op) {
      require(input.size() == 4 && input[1] == node.channels && count(input) > 0,
              "input: expected (N,", node.channels, ",H,W), got ", to_string(input));
      require_countable(input);
      shapes.push_back(input);
      continue;
    }
    std::vector<Shape> src;
    for (int s : node.src) src.push_back(shapes[static_cast<size_t>(s)]);
    try {
      shapes.push_back(node.op->infer(src));
      require_countable(shapes.back());
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
