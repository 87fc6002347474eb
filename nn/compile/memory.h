#pragma once
#include "limbic/nn/compile/arena.h"
#include "limbic/nn/compile/kernels.h"

namespace limbic {

/// A buffer of the arena.
struct Slice {
  onednn::Desc desc;
  Lifetime life;
  std::optional<int> alias;  ///< Shares the memory of this slice.
};

/// The steps of a run: forward of each node in order, backward in reverse, and what comes after.
struct Steps {
  int nodes;
  int forward(int node) const { return node; }
  int backward(int node) const { return 2 * nodes - 1 - node; }
  /// The node of a step.
  int node_of(int step) const { return step < nodes ? step : 2 * nodes - 1 - step; }
  int loss() const { return nodes; }  ///< Its gradient is handed in.
  int last() const { return 2 * nodes; }
  int never() const { return 2 * nodes + 1; }
};

/// Where a node's values lie: indices of slices.
struct NodeMemory {
  int value = 0;
  std::optional<int> diff;         ///< Of the value.
  std::optional<int> value_again;  ///< Rebuilt in backward: the slice it is rebuilt in.
  std::optional<int> copied_from;  ///< The node whose value dst holds before the kernel adds to it.
  std::vector<int> rebuild;        ///< Nodes to rebuild before this one's backward.
  std::vector<int> extras;
  /// Where backward writes the gradient of a source; it may not be wanted.
  struct SourceGradient {
    std::optional<int> slice;
    bool kernel_adds = false;  ///< To what is there.
    bool plan_adds = false;    ///< The plan adds that slice to the value's gradient.
  };
  std::vector<SourceGradient> diff_src;
  std::vector<std::optional<int>> diff_packed;  ///< Of the packed parameters.
};

/// Which values share memory, which are written over, which are computed again.
struct Memory {
  std::vector<Slice> slices;
  PerNode<NodeMemory> nodes;
  ArenaLayout arena;

  /// The slice whose memory this one has: itself, or what it shares.
  int root(int slice) const { return slices[static_cast<size_t>(slice)].alias.value_or(slice); }
};
Memory lay_out(const Graph& graph, const PerNode<Shape>& shapes, const PerNode<Stored>& stored,
               const Roles& roles, const PerNode<CompiledKernel>& kernels,
               const PlanOptions& options);

}  // namespace limbic
