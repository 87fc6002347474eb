#pragma once
#include "limbic/nn/graph/uses.h"

/// Rewrite a graph into one that gives the same kept outputs faster; kept nodes, labels that are
/// read and the loss stop them. Each pass is a function and a file.
namespace limbic::passes {

/// All that serve a plan of these options, in their order.
Graph apply(const Graph& graph, const PlanOptions& options);

/// batch_norm -> [add] -> relu becomes one kernel.
Graph fuse_norm_relu(const Graph& graph, const PlanOptions& options);
/// Inference: conv2d -> [batch_norm] -> [add] -> [relu] becomes one convolution, the batch norm
/// folded into its weights, the sum and ReLU done where it writes.
Graph fuse_convolution(const Graph& graph, const PlanOptions& options);
/// concat -> batch_norm becomes one kernel that gathers the pieces: a dense block never joins them.
Graph dissolve_concat(const Graph& graph, const PlanOptions& options);
/// Training: where several batch norms read a value, its mean and variance are computed once.
Graph share_moments(const Graph& graph, const PlanOptions& options);
/// Leaves out what neither the outside nor the loss needs: asking for "features" alone does not
/// compute the classifier. Not an optimisation: a plan computes all that it is given.
Graph drop_unread(const Graph& graph, const PlanOptions& options);

/// int8: where a convolution of those marked reads a value that `dtypes` stores wide, a Quantise of
/// that value (one for all its readers) comes between.
Graph quantise_sources(const Graph& graph, const PerNode<DType>& dtypes,
                       const PerNode<bool>& convolutions);

}  // namespace limbic::passes
