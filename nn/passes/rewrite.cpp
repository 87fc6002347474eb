#include "limbic/nn/passes/rewrite.h"

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

Graph rewrite(const Graph& graph, const std::vector<Fusion>& fusions,
              const std::vector<int>& vanishing, const std::map<int, Node>& inserted) {
  const auto& nodes = graph.nodes();
  std::vector<const Fusion*> ends(nodes.size(), nullptr);
  std::vector<bool> vanishes(nodes.size(), false);
  for (int n : vanishing) vanishes[static_cast<size_t>(n)] = true;
  for (const Fusion& fusion : fusions) {
    for (int n : fusion.nodes) {
      require(!vanishes[static_cast<size_t>(n)], nodes[static_cast<size_t>(n)].name,
              ": a plan pass has fused it twice");
      vanishes[static_cast<size_t>(n)] = true;
    }
    ends[static_cast<size_t>(fusion.nodes.back())] = &fusion;
  }
  Graph out;
  std::vector<int> moved(nodes.size(), -1), after(nodes.size(), -1);
  for (size_t n = 0; n < nodes.size(); ++n) {
    if (vanishes[n] && !ends[n]) continue;
    Node node = ends[n] ? ends[n]->replacement : nodes[n];
    for (int& s : node.src) {
      const bool is_inserted = s < 0;
      const auto old = static_cast<size_t>(is_inserted ? inserted_after(s) : s);
      s = is_inserted ? after[old] : moved[old];
      require(s >= 0, node.name, ": a plan pass has removed what it reads");
    }
    moved[n] = out.append_node(std::move(node));
    const auto extra = inserted.find(static_cast<int>(n));
    if (extra == inserted.end()) continue;
    Node follower = extra->second;
    follower.src = {moved[n]};
    after[n] = out.append_node(std::move(follower));
  }
  out.take_names(graph, moved);
  return out;
}

Graph apply_passes(const Graph& graph, const PlanOptions& options) {
  const bool training = options.gradients || options.batch_statistics;
  Graph g = training ? graph : fuse_convolution(graph, options);
  g = fuse_norm_relu(g, options);
  g = dissolve_concat(g, options);
  return share_moments(g, options);
}

}  // namespace limbic
