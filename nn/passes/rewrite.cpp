#include "limbic/nn/passes/rewrite.h"

namespace limbic::passes {

Graph rewrite(const Graph& graph, const std::vector<Fusion>& fusions,
              const std::vector<int>& vanishing, const std::map<int, Node>& inserted) {
  PerNode<const Fusion*> ends(graph.size(), nullptr);
  PerNode<bool> vanishes(graph.size());
  for (int n : vanishing) vanishes[n] = true;
  for (const Fusion& fusion : fusions) {
    for (int n : fusion.nodes) {
      require(!vanishes[n], graph.node(n).name, ": a plan pass has fused it twice");
      vanishes[n] = true;
    }
    ends[fusion.nodes.back()] = &fusion;
  }
  Graph out;
  PerNode<std::optional<int>> moved(graph.size()), after(graph.size());
  for (int n = 0; n < graph.size(); ++n) {
    if (vanishes[n] && !ends[n]) continue;
    Node node = ends[n] ? ends[n]->replacement : graph.node(n);
    for (int& s : node.src) {
      const auto& to = s < 0 ? after[inserted_after(s)] : moved[s];
      require(to.has_value(), node.name, ": a plan pass has removed what it reads");
      s = *to;
    }
    moved[n] = out.append_node(std::move(node));
    const auto extra = inserted.find(n);
    if (extra == inserted.end()) continue;
    Node follower = extra->second;
    follower.src = {*moved[n]};
    after[n] = out.append_node(std::move(follower));
  }
  out.take_names(graph, moved);
  return out;
}

Graph apply(const Graph& graph, const PlanOptions& options) {
  Graph g = graph;
  if (options.fuse) {
    const bool training = options.gradients || options.batch_statistics;
    if (!training) g = fuse_convolution(g, options);
    g = fuse_norm_relu(g, options);
    g = dissolve_concat(g, options);
    g = share_moments(g, options);
  }
  return drop_unread(g, options);
}

}  // namespace limbic::passes
