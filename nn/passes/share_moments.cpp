#include <algorithm>
#include <map>
#include <span>

#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/passes/rewrite.h"

namespace limbic::passes {

Graph share_moments(const Graph& graph, const PlanOptions& options) {
  if (!options.batch_statistics || options.reduce_statistics) return graph;
  const auto pieces_of = [&](int n, const BatchNorm& norm) {
    return std::span(graph.node(n).src).first(static_cast<size_t>(norm.fused().pieces));
  };
  PerNode<int> norms_reading(graph.size());
  for (int n = 1; n < graph.size(); ++n)
    if (const auto* norm = op_as<BatchNorm>(graph, n))
      for (int piece : pieces_of(n, *norm)) ++norms_reading[piece];
  std::vector<Fusion> fusions;
  std::map<int, Node> moments;  // by the node they are of
  for (int n = 1; n < graph.size(); ++n) {
    const auto* norm = op_as<BatchNorm>(graph, n);
    if (!norm || norm->fused().shared_moments) continue;
    const auto pieces = pieces_of(n, *norm);
    if (std::none_of(pieces.begin(), pieces.end(), [&](int p) { return norms_reading[p] > 1; }))
      continue;
    Fusion fusion{{n}, graph.node(n)};
    BatchNorm::Fused fused = norm->fused();
    fused.shared_moments = true;
    std::vector<int> added;
    for (int piece : pieces) {
      moments[piece] = {.name = graph.node(piece).name + ".moments",
                        .op = std::make_shared<BatchMoments>(),
                        .src = {piece}};
      added.push_back(inserted_after(piece));
    }
    auto& all = fusion.replacement.src;
    all.insert(all.begin() + fused.pieces, added.begin(), added.end());
    fusion.replacement.op = std::make_shared<BatchNorm>(norm->with(fused));
    fusions.push_back(std::move(fusion));
  }
  return rewrite(graph, fusions, {}, moments);
}

}  // namespace limbic::passes
