#pragma once
// nn: layers, graph, plan, automatic differentiation. A Graph says what to compute, a Plan how.
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "nn/core/parameters.h"
#include "nn/core/random.h"
#include "nn/core/tensor.h"

namespace limbic {

class Kernel;
class KernelBuilder;
class Graph;

/// How a fresh parameter is filled.
struct Initialiser {
  enum class Kind { constant, normal, uniform } kind = Kind::constant;
  double value = 0;  ///< The constant; the standard deviation; the bound of U(-value, value).
};

/// One parameter of an op: its last name ("weight"), canonical shape, first value.
struct ParameterSpec {
  std::string name;
  Shape shape;
  Initialiser init;
  bool trainable = true;
  DType dtype = DType::f32;
};

/// One operation: a shape rule, the parameters it owns, and how to make the kernel that computes
/// it. Ops are immutable and know nothing of sizes until a plan binds them.
class Op {
 public:
  virtual ~Op() = default;
  /// The field's name for it: "conv2d".
  virtual const char* type() const = 0;
  /// Shape of the output for these inputs; throws Error (without the node's name, which the plan
  /// puts before it) where they do not fit.
  virtual Shape infer(std::span<const Shape> src) const = 0;
  virtual std::vector<ParameterSpec> parameters() const { return {}; }
  virtual std::unique_ptr<Kernel> compile(KernelBuilder& builder) const = 0;
  /// False where no gradient flows through it (what it computes is accounted for elsewhere).
  virtual bool differentiable() const { return true; }
  /// Multiply-adds of one run.
  virtual int64_t multiply_adds(std::span<const Shape>) const { return 0; }
};

/// A node's output while a graph is being written.
struct Value {
  Graph* graph = nullptr;
  int node = 0;

  /// Channels of (N,C,H,W), features of (N,C).
  int64_t channels() const;
};

/// Where in the tree of names a layer stands: `s / "layer1" / "0" / "conv1"`.
struct Scope {
  Graph* graph;
  std::string path;

  Scope operator/(const std::string& name) const {
    return {graph, path.empty() ? name : path + "." + name};
  }
  Scope operator/(int64_t index) const { return *this / std::to_string(index); }
};

struct Node {
  std::string name;
  std::shared_ptr<const Op> op;  ///< Null for the graph's input.
  std::vector<int> src;
  std::vector<std::string> parameters;  ///< Full names, in the order of op->parameters().
  int64_t channels = 0;
  int64_t positions = 0;  ///< H x W where the graph fixes it (after adaptive pooling), else 0.
};

/// What to compute: nodes in topological order. Layer functions (nn/ops) append to it; blocks and
/// models are ordinary functions from Value to Value.
class Graph {
 public:
  /// The image input (N,channels,H,W). Call once, first.
  Value input(int64_t channels);
  Scope root() { return {this, ""}; }

  struct NewNode {
    std::string name;  ///< Made unique by a suffix where it is taken.
    std::shared_ptr<const Op> op;
    std::vector<Value> src;
    int64_t channels;
    int64_t positions = 0;
  };
  Value append(NewNode node);
  /// Appends a finished node as it is, known also under `other_name`: for plan passes.
  int append_node(Node node, const std::string& other_name);

  /// Gives a value a name that callers use: "features", "logits", "layer1".
  void label(const std::string& name, Value value);
  /// The node of a label or of a node's own name; throws Error, listing labels, if there is none.
  int find(const std::string& name) const;
  const std::map<std::string, int>& labels() const { return labels_; }

  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(int index) const { return nodes_[static_cast<size_t>(index)]; }

  /// Shape of every node for an input shape (N,C,H,W); throws Error naming the node.
  std::vector<Shape> infer(const Shape& input) const;
  /// Fresh parameters by each op's initialiser, keyed by (seed, name): the same for equal names
  /// whatever else the graph holds.
  Parameters initialise(uint64_t seed) const;
  /// The same for the parameters that `wanted` says; the others' values are left open, for a
  /// checkpoint to fill: drawing a large network's takes seconds.
  using Wanted = std::function<bool(const std::string& name, const Shape& shape)>;
  Parameters initialise(uint64_t seed, const Wanted& wanted) const;

 private:
  std::vector<Node> nodes_;
  std::map<std::string, int> labels_;
  std::map<std::string, int> names_;
};

}  // namespace limbic
