#pragma once
#include <string>

#include "limbic/nn/graph/graph.h"

namespace limbic::report {

/// A network as a picture, an SVG file: layers from top to bottom in the order of computing, each
/// with what it gives, its parameters and multiply-adds. What only goes on with the value before it
/// (a norm, an activation) stands in the same box; a value that is read further below runs down a
/// line of its own at the right. `input`: (N,C,H,W). Throws Error where the graph does not take it.
std::string draw_graph(const Graph& graph, const Shape& input, const std::string& title);

}  // namespace limbic::report
