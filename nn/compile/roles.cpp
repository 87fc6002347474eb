#include "limbic/nn/compile/roles.h"

#include <algorithm>

namespace limbic {
namespace {

// Somebody reads it after the run, or what layers without a bias of their own make of it.
PerNode<bool> find_seen(const Graph& graph, const Uses& uses) {
  PerNode<bool> seen(graph.size());
  for (int n = graph.size(); n-- > 0;) {
    seen[n] = uses.is_kept(n);
    for (int reader : uses.readers(n)) {
      const auto& names = graph.node(reader).parameters;
      const bool has_bias = std::any_of(names.begin(), names.end(), [](const std::string& name) {
        return name.ends_with(".bias");
      });
      if (seen[reader] && !has_bias) seen[n] = true;
    }
  }
  return seen;
}

// A value has a gradient if the loss depends on it and it depends on something trainable.
PerNode<bool> find_gradients(const Graph& graph, const Uses& uses, int loss,
                             const Parameters& parameters, const PlanOptions& options) {
  PerNode<bool> wants(graph.size()), reaches_loss(graph.size());
  reaches_loss[loss] = true;
  for (int n = graph.size(); n-- > 0;)
    if (reaches_loss[n])
      for (int s : graph.node(n).src) reaches_loss[s] = true;
  for (int n = 0; n < graph.size(); ++n) {
    const Node& node = graph.node(n);
    bool depends = uses.is_gradient_kept(n);
    for (const auto& name : node.parameters)
      depends = depends || (parameters.at(name).trainable && !is_frozen(name, options));
    for (int s : node.src) depends = depends || wants[s];
    wants[n] = depends && reaches_loss[n] && (!node.op || node.op->differentiable());
  }
  return wants;
}

}  // namespace

bool is_frozen(const std::string& parameter, const PlanOptions& options) {
  return lies_within_any(parameter, options.frozen);
}

Roles find_roles(const Graph& graph, const Parameters& parameters, const PlanOptions& options) {
  Roles roles{Uses(graph, options), {}, PerNode<bool>(graph.size()), std::nullopt};
  roles.seen = find_seen(graph, roles.uses);
  if (!options.gradients) return roles;
  roles.loss = graph.find(options.loss_at);
  roles.backward = find_gradients(graph, roles.uses, *roles.loss, parameters, options);
  for (const std::string& name : options.keep_gradients)
    require(roles.backward[graph.find(name)], name, ": it has no gradient, as '", options.loss_at,
            "' does not depend on it");
  return roles;
}

}  // namespace limbic
