#pragma once
#include "limbic/explain/maps.h"
#include "limbic/io/picture.h"

namespace limbic::explain {

/// The picture, greyed, with the map over it from blue (0) over green to red (1).
io::Picture overlaid(const io::Picture& picture, const Map& map);
/// Feature maps (1,C,H,W) as grey tiles beside each other, each from its own smallest value to its
/// largest: up to `most` of those that vary most, these first.
io::Picture tiles_of_features(const Tensor& features, int64_t most = 64);
/// Filters (O,I,kh,kw) as tiles: of three inputs in colour, else the mean over the inputs, from
/// -m to m, m the largest magnitude; 1x1 filters as one tile, a row each filter, a column each
/// input.
io::Picture tiles_of_filters(const Tensor& weight, int64_t most = 64);

}  // namespace limbic::explain
