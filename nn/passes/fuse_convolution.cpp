#include <algorithm>
#include <cmath>

#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/relu.h"
#include "limbic/nn/passes/rewrite.h"

namespace limbic {
namespace {

class Fuser {
 public:
  Fuser(const Graph& graph, const PlanOptions& options)
      : graph_(graph),
        uses_(graph, options),
        position_(graph.nodes().size()),
        taken_(graph.nodes().size(), false) {
    for (size_t n = 0; n < position_.size(); ++n) position_[n] = static_cast<int>(n);
  }

  std::vector<Fusion> run() {
    for (int n = 1; n < static_cast<int>(graph_.nodes().size()); ++n)
      if (const auto* conv = op_as<Conv2d>(graph_, n)) fuse(n, *conv);
    return std::move(fusions_);
  }

 private:
  void fuse(int n, const Conv2d& conv) {
    Fusion fusion{{n}, graph_.node(n)};
    Conv2d::Fused fused;
    auto next = uses_.only_reader(n);
    if (const auto* norm = next ? op_as<BatchNorm>(graph_, *next) : nullptr) {
      fused.norm = true;
      fused.epsilon = norm->options().epsilon;
      const auto& names = graph_.node(*next).parameters;
      auto& parameters = fusion.replacement.parameters;
      parameters.insert(parameters.end(), names.begin(), names.begin() + 4);
      fusion.nodes.push_back(*next);
      next = uses_.only_reader(*next);
    }
    if (next && op_as<Add>(graph_, *next) && !taken_[static_cast<size_t>(*next)] &&
        can_add(fusion, *next)) {
      const auto& src = graph_.node(*next).src;
      fusion.replacement.src.push_back(src[0] == fusion.nodes.back() ? src[1] : src[0]);
      fused.sum = true;
      fusion.nodes.push_back(*next);
      next = uses_.only_reader(*next);
    }
    const auto* relu = next ? op_as<Relu>(graph_, *next) : nullptr;
    if (relu && !std::isfinite(relu->cap())) {
      fused.relu = true;
      fusion.nodes.push_back(*next);
    }
    if (fusion.nodes.size() == 1) return;
    fusion.replacement.op = std::make_shared<Conv2d>(conv.with(fused));
    for (int f : fusion.nodes) {
      position_[static_cast<size_t>(f)] = fusion.nodes.back();
      taken_[static_cast<size_t>(f)] = true;
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
    return std::all_of(readers.begin(), readers.end(), [&](int r) {
      return r == add || position_[static_cast<size_t>(r)] < fusion.nodes[0];
    });
  }

  const Graph& graph_;
  Uses uses_;
  std::vector<int> position_;  // where each node will run
  std::vector<bool> taken_;    // by a fusion
  std::vector<Fusion> fusions_;
};

}  // namespace

Graph fuse_convolution(const Graph& graph, const PlanOptions& options) {
  return rewrite(graph, Fuser(graph, options).run());
}

}  // namespace limbic
