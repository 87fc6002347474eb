#include <map>

#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/quantise.h"
#include "limbic/nn/passes/rewrite.h"

namespace limbic::passes {

Graph quantise_sources(const Graph& graph, const PerNode<DType>& dtypes,
                       const PerNode<bool>& convolutions) {
  std::vector<Fusion> changed;
  std::map<int, Node> inserted;  // by the node that they read
  for (int n = 1; n < graph.size(); ++n) {
    if (!op_as<Conv2d>(graph, n) || !convolutions[n]) continue;
    const int src = graph.node(n).src[0];
    if (!is_wide(dtypes[src])) continue;
    inserted[src] = {.name = graph.node(src).name + ".quantised",
                     .op = std::make_shared<Quantise>(),
                     .src = {src},
                     .channels = graph.node(src).channels};
    Fusion fusion{{n}, graph.node(n)};
    fusion.replacement.src[0] = inserted_after(src);
    changed.push_back(std::move(fusion));
  }
  return rewrite(graph, changed, {}, inserted);
}

}  // namespace limbic::passes
