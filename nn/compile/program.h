#pragma once
#include <atomic>

#include "limbic/nn/compile/memory.h"

namespace limbic {

/// A Graph and Parameters compiled for one input shape and mode: kernels, layouts, packed weights,
/// the arena's layout. Threads may share it, each running its own Workspace, as long as none
/// trains. Made by steps that hand on values: passes, dtypes, roles, kernels, weights, memory.
class Program {
 public:
  Program(const Graph& graph, const Parameters& parameters, PlanOptions options);
  /// The same network and options for another input shape, or another number of threads (0: as
  /// many), with the same packed weights: what refreshes them, refreshes both. Throws Error where
  /// `like` trains.
  Program(const Program& like, Shape input, int threads = 0);

  const PlanOptions& options() const { return options_; }
  const Graph& graph() const { return graph_; }
  const Shape& shape(int node) const { return shapes_[node]; }
  const Stored& stored(int node) const { return stored_[node]; }
  const Roles& roles() const { return roles_; }
  /// Null for the input.
  const Kernel* kernel(int node) const { return kernels_[node].kernel.get(); }
  const Memory& memory() const { return memory_; }
  bool has_backward(int node) const { return roles_.backward[node]; }
  /// Whether it is a batch norm that normalises with the batch's statistics.
  bool uses_batch_statistics(int node) const { return kernels_[node].asked.batch_statistics; }

  PackedWeights& weights() { return *weights_; }
  const PackedWeights& weights() const { return *weights_; }
  const std::vector<PackedParameter>& packed() const { return weights_->parameters(); }
  /// After it the program computes with `parameters`, as one made anew would, and so does every
  /// other with the same packed weights (PackedWeights::refresh).
  void refresh(const Parameters& parameters) { weights_->refresh(parameters); }

  /// The node of a label or of a node's name of the graph as it was given; throws Error, naming it,
  /// where its value (its gradient) is not kept.
  int kept(const std::string& name) const;
  int kept_gradient(const std::string& name) const;
  /// How many convolutions it computes, and how many of them in 8 bits.
  struct Convolutions {
    int64_t all = 0, in_8_bits = 0;
  };
  Convolutions convolutions() const;
  /// Threads that the kernels were made for, with which every run computes.
  int threads() const { return threads_; }

  /// One workspace more, until what is returned goes. Throws Error where there is one already and
  /// the program trains: they would write the same weights.
  std::shared_ptr<void> open_workspace();

 private:
  int threads_;
  PlanOptions options_;
  Graph source_;  ///< As it was given: its names are those that callers know.
  Graph graph_;
  PerNode<Shape> shapes_;
  PerNode<Stored> stored_;
  Roles roles_;
  PerNode<CompiledKernel> kernels_;
  std::shared_ptr<PackedWeights> weights_;
  Memory memory_;
  std::atomic<int> workspaces_ = 0;
};

}  // namespace limbic
