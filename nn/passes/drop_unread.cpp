#include "limbic/nn/passes/rewrite.h"

namespace limbic::passes {

Graph drop_unread(const Graph& graph, const PlanOptions& options) {
  const Uses uses(graph, options);
  PerNode<bool> needed(graph.size());
  needed[0] = true;
  for (int n = graph.size(); n-- > 0;) {
    if (uses.is_protected(n)) needed[n] = true;
    if (needed[n])
      for (int s : graph.node(n).src) needed[s] = true;
  }
  std::vector<int> vanishing;
  for (int n = 0; n < graph.size(); ++n)
    if (!needed[n]) vanishing.push_back(n);
  return vanishing.empty() ? graph : rewrite(graph, {}, vanishing);
}

}  // namespace limbic::passes
