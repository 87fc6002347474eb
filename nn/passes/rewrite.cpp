#include "nn/passes/rewrite.h"

namespace limbic {

Uses::Uses(const Graph& graph, const PlanOptions& options)
    : readers_(graph.nodes().size()), protected_(graph.nodes().size(), false) {
  for (size_t n = 0; n < graph.nodes().size(); ++n)
    for (int s : graph.nodes()[n].src)
      readers_[static_cast<size_t>(s)].push_back(static_cast<int>(n));
  for (const auto* names : {&options.keep, &options.keep_gradients})
    for (const auto& name : *names) protected_[static_cast<size_t>(graph.find(name))] = true;
}

std::optional<int> Uses::only_reader(int n) const {
  if (is_protected(n) || readers(n).size() != 1) return std::nullopt;
  return readers(n)[0];
}

Graph rewrite(const Graph& graph, const std::vector<Fusion>& fusions) {
  const auto& nodes = graph.nodes();
  std::vector<const Fusion*> ends(nodes.size(), nullptr);
  std::vector<bool> vanishes(nodes.size(), false);
  for (const Fusion& fusion : fusions) {
    for (int n : fusion.nodes) vanishes[static_cast<size_t>(n)] = true;
    ends[static_cast<size_t>(fusion.nodes.back())] = &fusion;
  }
  Graph out;
  std::vector<int> moved(nodes.size(), -1);
  for (size_t n = 0; n < nodes.size(); ++n) {
    if (vanishes[n] && !ends[n]) continue;
    Node node = ends[n] ? ends[n]->replacement : nodes[n];
    for (int& s : node.src) s = moved[static_cast<size_t>(s)];
    moved[n] = out.append_node(std::move(node), nodes[n].name);
  }
  for (const auto& [label, n] : graph.labels())
    if (moved[static_cast<size_t>(n)] >= 0)
      out.label(label, Value{&out, moved[static_cast<size_t>(n)]});
  return out;
}

Graph apply_passes(const Graph& graph, const PlanOptions& options) {
  if (options.gradients || options.batch_statistics) return fuse_norm_relu(graph, options);
  return fuse_norm_relu(fuse_convolution(graph, options), options);
}

}  // namespace limbic
