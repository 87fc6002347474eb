#pragma once
// walk: a picture's way through a network, layer by layer, as numbers and as one page.
#include <string>

#include "limbic/core/progress.h"
#include "limbic/nn/graph/graph.h"

namespace limbic::walk {

/// A LeNet that has learned to read the digits that reference/glyphs.h draws, and one that it has
/// not seen: a walk that needs no file.
struct Digits {
  Graph graph;  ///< reference/lenet.h's layers, (N,1,28,28) -> "logits" (N,10).
  Parameters parameters;
  Tensor image;  ///< (1,1,28,28), ink near 1 on paper near 0.
  int64_t label = 0;
  double accuracy = 0;  ///< On 320 pictures that it has not seen.
};

/// 400 steps of 32 pictures, a second or two. Throws Error where it has not learned 9 of 10.
Digits train_digits(uint64_t seed, const ProgressFunction& progress = {});

}  // namespace limbic::walk
