#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/passes/rewrite.h"

namespace limbic::passes {

Graph fuse_norm_relu(const Graph& graph, const PlanOptions& options) {
  const Uses uses(graph, options);
  std::vector<Fusion> fusions;
  PerNode<bool> taken(graph.size());
  for (int n = 1; n < graph.size(); ++n) {
    if (!op_as<BatchNorm>(graph, n)) continue;
    Fusion fusion{{n}, graph.node(n)};
    std::shared_ptr<const Op> op = graph.node(n).op;
    auto next = uses.only_reader(n);
    if (next && op_as<Add>(graph, *next) && !taken[*next]) {
      const auto& src = graph.node(*next).src;
      const int other = src[0] == n ? src[1] : src[0];
      op = op->absorb(*graph.node(*next).op);
      if (other == n || !op) continue;
      fusion.nodes.push_back(*next);
      fusion.replacement.src.push_back(other);
      next = uses.only_reader(*next);
    }
    // A sum alone is not worth it: its other operand is read once more in backward.
    fusion.replacement.op = next ? op->absorb(*graph.node(*next).op) : nullptr;
    if (!fusion.replacement.op || !graph.node(*next).op->as_activation()) continue;
    fusion.nodes.push_back(*next);
    for (int f : fusion.nodes) taken[f] = true;
    fusions.push_back(std::move(fusion));
  }
  return rewrite(graph, fusions);
}

}  // namespace limbic::passes
