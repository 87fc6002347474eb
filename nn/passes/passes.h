#pragma once
#include "limbic/nn/compile/program.h"

namespace limbic {

/// Rewrites a graph into one that gives the same kept outputs faster. Each pass is one file of
/// nn/passes; kept nodes, labels that are read and the loss stop it.
Graph apply_passes(const Graph& graph, const PlanOptions& options);

/// batch_norm -> [add] -> relu becomes one kernel.
Graph fuse_norm_relu(const Graph& graph, const PlanOptions& options);
/// Inference: conv2d -> [batch_norm] -> [add] -> [relu] becomes one convolution, the batch norm
/// folded into its weights, the sum and ReLU done where it writes.
Graph fuse_convolution(const Graph& graph, const PlanOptions& options);
/// concat -> batch_norm becomes one kernel that gathers the pieces: a dense block never joins them.
Graph dissolve_concat(const Graph& graph, const PlanOptions& options);
/// Training: where several batch norms read a value, its mean and variance are computed once.
Graph share_moments(const Graph& graph, const PlanOptions& options);

/// int8: where a convolution of those marked reads a value that `dtypes` stores wide, a Quantise of
/// that value (one for all its readers) comes between.
Graph quantise_sources(const Graph& graph, const std::vector<DType>& dtypes,
                       const std::vector<bool>& convolutions);

}  // namespace limbic
