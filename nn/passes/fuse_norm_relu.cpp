#include <cmath>

#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/relu.h"
#include "limbic/nn/passes/rewrite.h"

namespace limbic {

Graph fuse_norm_relu(const Graph& graph, const PlanOptions& options) {
  const Uses uses(graph, options);
  std::vector<Fusion> fusions;
  std::vector<bool> taken(graph.nodes().size(), false);
  for (int n = 1; n < static_cast<int>(graph.nodes().size()); ++n) {
    const auto* norm = op_as<BatchNorm>(graph, n);
    if (!norm) continue;
    Fusion fusion{{n}, graph.node(n)};
    BatchNorm::Fused fused = norm->fused();
    auto next = uses.only_reader(n);
    if (next && op_as<Add>(graph, *next) && !taken[static_cast<size_t>(*next)]) {
      const auto& src = graph.node(*next).src;
      const int other = src[0] == n ? src[1] : src[0];
      const auto after = uses.only_reader(*next);
      if (other == n || !after || !op_as<Relu>(graph, *after)) continue;
      fusion.nodes.push_back(*next);
      fusion.replacement.src.push_back(other);
      fused.add = true;
      next = after;
    }
    const auto* relu = next ? op_as<Relu>(graph, *next) : nullptr;
    if (!relu || std::isfinite(relu->cap())) continue;
    fusion.nodes.push_back(*next);
    fused.relu = true;
    fusion.replacement.op = std::make_shared<BatchNorm>(norm->with(fused));
    for (int f : fusion.nodes) taken[static_cast<size_t>(f)] = true;
    fusions.push_back(std::move(fusion));
  }
  return rewrite(graph, fusions);
}

}  // namespace limbic
