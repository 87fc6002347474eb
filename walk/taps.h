#pragma once
#include "limbic/nn/graph/graph.h"

namespace limbic::walk {

/// A cell of what a layer gives: of (1,C,H,W); of (1,C) y and x are 0.
struct Cell {
  int64_t c = 0, y = 0, x = 0;
};

/// A value that a cell is computed from.
struct Tap {
  int src = -1;  ///< Index into the node's sources; -1: padding, a value of 0.
  Cell cell;
};

/// What one cell of a node's output reads, in the order of its weights: of a convolution the window
/// of each input channel, row by row, of a linear layer all of src, of a pool its window without
/// padding, of what works element by element one value of each source. Empty where the walk does
/// not know how the op reads.
std::vector<Tap> taps(const Graph& graph, const std::vector<Shape>& shapes, int node,
                      const Cell& cell);

/// Whether every channel of a place reads the same values.
bool shares_taps(const Op& op);

}  // namespace limbic::walk
