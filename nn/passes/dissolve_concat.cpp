#include <algorithm>

#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/concat.h"
#include "limbic/nn/passes/rewrite.h"

namespace limbic::passes {
namespace {

// A concat that nobody outside reads and that only batch norms read need not happen.
bool is_dissolved(const Graph& graph, const Uses& uses, int n) {
  if (!op_as<Concat>(graph, n) || uses.is_protected(n)) return false;
  const auto& readers = uses.readers(n);
  return !readers.empty() && std::all_of(readers.begin(), readers.end(), [&](int r) {
    const auto* norm = op_as<BatchNorm>(graph, r);
    return norm && norm->fused().pieces == 1 && graph.node(r).src[0] == n &&
           std::count(graph.node(r).src.begin(), graph.node(r).src.end(), n) == 1;
  });
}

}  // namespace

Graph dissolve_concat(const Graph& graph, const PlanOptions& options) {
  const Uses uses(graph, options);
  std::vector<Fusion> fusions;
  std::vector<int> vanishing;
  for (int n = 1; n < graph.size(); ++n) {
    if (is_dissolved(graph, uses, n)) vanishing.push_back(n);
    const auto* norm = op_as<BatchNorm>(graph, n);
    if (!norm || !is_dissolved(graph, uses, graph.node(n).src[0])) continue;
    Fusion fusion{{n}, graph.node(n)};
    BatchNorm::Fused fused = norm->fused();
    auto& src = fusion.replacement.src;
    const auto& pieces = graph.node(src[0]).src;
    fused.pieces = static_cast<int>(pieces.size());
    src.erase(src.begin());
    src.insert(src.begin(), pieces.begin(), pieces.end());
    fusion.replacement.op = std::make_shared<BatchNorm>(norm->with(fused));
    fusions.push_back(std::move(fusion));
  }
  return rewrite(graph, fusions, vanishing);
}

}  // namespace limbic::passes
