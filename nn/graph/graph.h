#pragma once
// nn: layers, graph, plan, automatic differentiation. A Graph says what to compute, a Plan how.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "limbic/core/parameters.h"
#include "limbic/core/random.h"
#include "limbic/core/tensor.h"
#include "limbic/nn/graph/activation.h"
#include "limbic/nn/graph/per_node.h"

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
  bool statistic = false;  ///< Forward changes it in training: a running mean or variance.
};

/// f32 or bf16: what activations are in plans that do not quantise.
constexpr bool is_wide(DType dtype) { return dtype == DType::f32 || dtype == DType::bf16; }
/// 8 bits, with a scale.
constexpr bool is_8_bit(DType dtype) { return dtype == DType::u8 || dtype == DType::i8; }

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
  /// Whether its kernels read values of `src` and write `dst`; a plan refuses what they do not. An
  /// op that says nothing computes f32 alone. (N,C) values are f32 in every plan.
  virtual bool computes(DType src, DType dst) const {
    return src == DType::f32 && dst == DType::f32;
  }
  /// False where no gradient flows through it (what it computes is accounted for elsewhere).
  virtual bool differentiable() const { return true; }
  /// The function, where applying one to each element is all that the op does.
  virtual Activation as_activation() const { return {}; }
  /// This op with what `next`, which reads its output, does done where it writes; null where it
  /// cannot. Of a sum the other operand becomes the last src.
  virtual std::shared_ptr<const Op> absorb([[maybe_unused]] const Op& next) const {
    return nullptr;
  }
  /// What is known of the values that it gives: nothing, no less than zero wherever all of its
  /// sources are, or never below zero.
  enum class Sign { any, of_src, never_negative };
  virtual Sign sign() const { return Sign::any; }
  /// Multiply-adds of one run.
  virtual int64_t multiply_adds(std::span<const Shape>) const { return 0; }
};

/// Finds a graph that may have moved, or be gone, since: what is gone is named, not followed.
class GraphHandle {
 public:
  GraphHandle() = default;
  GraphHandle(Graph* graph);  // NOLINT: a graph stands for its handle
  /// Throws Error where there is no graph, or none any more.
  Graph& operator*() const;
  Graph* operator->() const { return &**this; }

 private:
  std::weak_ptr<Graph*> graph_;
};

/// A node's output while a graph is being written. A graph that is moved takes its values along;
/// one that is copied keeps them: the copy has none of its own.
struct Value {
  GraphHandle graph;
  int node = 0;

  /// Channels of (N,C,H,W), features of (N,C).
  int64_t channels() const;
};

/// Where in the tree of names a layer stands: `s / "layer1" / "0" / "conv1"`.
struct Scope {
  GraphHandle graph;
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
  Graph() = default;
  Graph(const Graph& other) : nodes_(other.nodes_), labels_(other.labels_), names_(other.names_) {}
  Graph(Graph&& other) noexcept { swap(other); }
  Graph& operator=(Graph other) noexcept {
    swap(other);
    return *this;
  }

  /// The image input (N,channels,H,W). Call once, first; throws Error otherwise.
  Value input(int64_t channels);
  Scope root() { return {this, ""}; }

  struct NewNode {
    /// Made unique by a suffix where it is taken; but a name that stands before parameters must be
    /// free, and not empty.
    std::string name;
    std::shared_ptr<const Op> op;
    std::vector<Value> src;
    int64_t channels;
    int64_t positions = 0;
  };
  /// Throws Error on a source of another graph and on a name that cannot be had.
  Value append(NewNode node);
  /// Appends a finished node as it is: for plan passes.
  int append_node(Node node);
  /// Takes over labels and names of a graph that this one was made from, node n having become
  /// moved[n], or nothing where it is gone.
  void take_names(const Graph& from, const PerNode<std::optional<int>>& moved);

  /// Gives a value a name that callers use: "features", "logits", "layer1".
  void label(const std::string& name, Value value);
  /// The node of a label or of a node's own name; throws Error, listing labels, if there is none.
  int find(const std::string& name) const;
  const std::map<std::string, int>& labels() const { return labels_; }

  const std::vector<Node>& nodes() const { return nodes_; }
  int size() const { return static_cast<int>(nodes_.size()); }
  /// Throws Error where there is no such node.
  const Node& node(int index) const;

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
  friend class GraphHandle;
  void swap(Graph& other) noexcept;
  bool owns(const Value& value) const;

  std::vector<Node> nodes_;
  std::map<std::string, int> labels_;
  std::map<std::string, int> names_;
  std::shared_ptr<Graph*> self_;  ///< Where handles find it; made with the first of them.
};

/// The op of node n as T, or null.
template <class T>
const T* op_as(const Graph& graph, int n) {
  return dynamic_cast<const T*>(graph.node(n).op.get());
}

}  // namespace limbic
