#pragma once
#include <array>

#include "limbic/baselines/grey.h"

namespace limbic::baselines {

constexpr int64_t lbp_patterns = 58;

/// Local binary patterns (Ojala et al. 2002) over cells, as vl_lbp of VLFeat 0.9.21 has them: bit k
/// of a pixel's pattern says whether its neighbour, counted clockwise from the right, is brighter.
/// 56 bins are the patterns with two changes around the circle, one is those with none, one all
/// others. A pixel counts bilinearly for the cells around it; each cell is L1-normalised, then
/// square-rooted. (H,W) -> (58, H / cell, W / cell).
struct LbpCells {
  int64_t rows = 0, columns = 0;
  std::vector<float> values;  ///< (58,rows,columns).
};
LbpCells lbp_cells(const Grey& image, int64_t cell);

/// The same over all inner pixels of a picture, each counting once: 58 values of L2 norm 1, or
/// zeros where the picture is less than 3 pixels high or wide.
std::vector<float> lbp_histogram(const Grey& image);

}  // namespace limbic::baselines
