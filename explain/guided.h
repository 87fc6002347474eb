#pragma once
#include "limbic/nn/graph/graph.h"

namespace limbic::explain {

/// A copy of the graph in which every ReLU and ReLU6 lets only positive gradients back: guided
/// backpropagation (Springenberg et al. 2014, arXiv:1412.6806), for
///   dst = min(max(src, 0), high):  diff_src = 0 < dst < high and diff_dst > 0 ? diff_dst : 0.
/// Forward, names and parameters are the graph's. Throws Error where it has no such layer.
Graph guided(const Graph& graph);

}  // namespace limbic::explain
