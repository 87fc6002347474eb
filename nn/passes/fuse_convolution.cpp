#include <algorithm>

#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/passes/rewrite.h"

namespace limbic::passes {
namespace {

class Fuser {
 public:
  Fuser(const Graph& graph, const PlanOptions& options)
      : graph_(graph), uses_(graph, options), position_(graph.size()), taken_(graph.size()) {
    for (int n = 0; n < graph.size(); ++n) position_[n] = n;
  }

  std::vector<Fusion> run() {
    for (int n = 1; n < graph_.size(); ++n)
      if (op_as<Conv2d>(graph_, n)) fuse(n);
    return std::move(fusions_);
  }

 private:
  // Takes in what follows, as long as the convolution can.
  void fuse(int n) {
    Fusion fusion{{n}, graph_.node(n)};
    Node& node = fusion.replacement;
    for (auto next = uses_.only_reader(n); next; next = uses_.only_reader(*next)) {
      const Node& reader = graph_.node(*next);
      const bool is_sum = op_as<Add>(graph_, *next) != nullptr;
      if (is_sum && (taken_[*next] || !can_add(fusion, *next))) break;
      const auto op = node.op->absorb(*reader.op);
      if (!op) break;
      if (is_sum)
        node.src.push_back(reader.src[0] == fusion.nodes.back() ? reader.src[1] : reader.src[0]);
      const size_t more = op->parameters().size() - node.op->parameters().size();
      node.parameters.insert(node.parameters.end(), reader.parameters.begin(),
                             reader.parameters.begin() + static_cast<int64_t>(more));
      node.op = op;
      fusion.nodes.push_back(*next);
    }
    if (fusion.nodes.size() == 1) return;
    for (int f : fusion.nodes) {
      position_[f] = fusion.nodes.back();
      taken_[f] = true;
    }
    fusions_.push_back(std::move(fusion));
  }

  // The sum is written over the other operand, so whoever else reads that should have run before:
  // else the plan copies it first, which costs what the fusion saves. It must be finished before
  // the convolution starts.
  bool can_add(const Fusion& fusion, int add) const {
    const auto& src = graph_.node(add).src;
    const int own = fusion.nodes.back(), other = src[0] == own ? src[1] : src[0];
    if (other == own || other == 0 || uses_.is_protected(other)) return false;
    const auto& readers = uses_.readers(other);
    return std::all_of(readers.begin(), readers.end(),
                       [&](int r) { return r == add || position_[r] < fusion.nodes[0]; });
  }

  const Graph& graph_;
  Uses uses_;
  PerNode<int> position_;  // where each node will run
  PerNode<bool> taken_;    // by a fusion
  std::vector<Fusion> fusions_;
};

}  // namespace

Graph fuse_convolution(const Graph& graph, const PlanOptions& options) {
  return rewrite(graph, Fuser(graph, options).run());
}

}  // namespace limbic::passes
