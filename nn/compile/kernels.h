#pragma once
#include "limbic/nn/compile/dtypes.h"
#include "limbic/nn/compile/packed_weights.h"
#include "limbic/nn/compile/roles.h"

namespace limbic {

/// A node's kernel and what it has asked for; no kernel for the graph's input.
struct CompiledKernel {
  std::shared_ptr<const Kernel> kernel;
  KernelBuilder asked;
};

/// Makes every node's kernel, on all threads. `parameters` says what is trained, and is checked
/// against what the ops declare. Throws Error, naming the node, where one cannot be made.
PerNode<CompiledKernel> compile(const Graph& graph, const PerNode<Shape>& shapes,
                                const PerNode<Stored>& stored, const Roles& roles,
                                const Parameters& parameters, const PlanOptions& options);
/// The same for inference with weights that another program has packed.
PerNode<CompiledKernel> compile(const Graph& graph, const PerNode<Shape>& shapes,
                                const PerNode<Stored>& stored, const Roles& roles,
                                const PackedWeights& weights, const PlanOptions& options);

}  // namespace limbic
