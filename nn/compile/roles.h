#pragma once
#include <optional>

#include "limbic/nn/graph/uses.h"

namespace limbic {

/// What each node of a graph is for, in a plan of these options.
struct Roles {
  Uses uses;
  PerNode<bool> seen;      ///< KernelBuilder::seen.
  PerNode<bool> backward;  ///< Its value has a gradient: none has where none is asked for.
  std::optional<int> loss;
};

/// Throws Error where a gradient is to be kept that there is not. `parameters` says what is
/// trained; without gradients it may be empty.
Roles find_roles(const Graph& graph, const Parameters& parameters, const PlanOptions& options);

/// Whether the options say that this parameter must not change.
bool is_frozen(const std::string& parameter, const PlanOptions& options);

}  // namespace limbic
