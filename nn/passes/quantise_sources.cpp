#include <map>

#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/quantise.h"
#include "limbic/nn/passes/rewrite.h"

namespace limbic {

Graph quantise_sources(const Graph& graph, const std::vector<DType>& dtypes,
                       const std::vector<bool>& convolutions) {
  std::vector<Fusion> changed;
  std::map<int, Node> inserted;  // by the node that they read
  for (int n = 1; n < static_cast<int>(graph.nodes().size()); ++n) {
    if (!op_as<Conv2d>(graph, n) || !convolutions[static_cast<size_t>(n)]) continue;
    const int src = graph.node(n).src[0];
    if (!is_wide(dtypes[static_cast<size_t>(src)])) continue;
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

}  // namespace limbic
