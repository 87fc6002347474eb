#pragma once
#include "limbic/walk/page.h"

namespace limbic::walk {

/// The channels and places of a node of which a selection holds the numbers.
struct Choice {
  std::vector<int64_t> channels;
  std::vector<Cell> places;  ///< Their c is 0.
};

/// Of each node: those channels whose values range furthest, the explained class among them where
/// channels are classes; a layer that keeps its source's channels takes the same. Places lie in an
/// even grid.
std::vector<Choice> choose(const Recording& r, const Selection& selection);

}  // namespace limbic::walk
