#include "limbic/nn/graph/uses.h"

namespace limbic {

Uses::Uses(const Graph& graph, const PlanOptions& options)
    : readers_(graph.size()), kept_(graph.size()), kept_gradient_(graph.size()) {
  for (int n = 0; n < graph.size(); ++n)
    for (int s : graph.node(n).src) readers_[s].push_back(n);
  for (const auto& name : options.keep) kept_[graph.find(name)] = true;
  for (const auto& name : options.keep_gradients) kept_gradient_[graph.find(name)] = true;
  if (options.input_gradient) kept_gradient_[0] = true;
}

std::optional<int> Uses::only_reader(int n) const {
  if (is_protected(n) || readers(n).size() != 1) return std::nullopt;
  return readers(n)[0];
}

}  // namespace limbic
