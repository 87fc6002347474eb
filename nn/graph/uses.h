#pragma once
#include <optional>
#include <vector>

#include "limbic/nn/graph/graph.h"
#include "limbic/nn/graph/per_node.h"
#include "limbic/nn/graph/plan_options.h"

namespace limbic {

/// Who reads what in a graph, and what somebody outside looks at.
class Uses {
 public:
  Uses(const Graph& graph, const PlanOptions& options);
  /// In order; a node that reads n twice stands there twice.
  const std::vector<int>& readers(int n) const { return readers_[n]; }
  /// The one node that reads n, if n has one reader only and nobody outside looks at it.
  std::optional<int> only_reader(int n) const;
  /// Its value, or its gradient, can be read after a run.
  bool is_kept(int n) const { return kept_[n]; }
  bool is_gradient_kept(int n) const { return kept_gradient_[n]; }
  bool is_protected(int n) const { return kept_[n] || kept_gradient_[n]; }

 private:
  PerNode<std::vector<int>> readers_;
  PerNode<bool> kept_, kept_gradient_;
};

}  // namespace limbic
