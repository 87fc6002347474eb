#pragma once
#include "limbic/baselines/grey.h"

namespace limbic::baselines {

struct HogOptions {
  int64_t cell = 8;          ///< Pixels of a cell's side.
  int64_t block = 2;         ///< Cells of a block's side; blocks stand one cell apart.
  int64_t orientations = 9;  ///< Bins over 0 to 180 degrees.
};

/// Histograms of oriented gradients (Dalal and Triggs 2005): central differences, 0 at the border;
/// each pixel adds its gradient's length to the one bin of its angle; blocks are normalised by
/// L2-Hys (L2, clipped at 0.2, L2). Equal to scikit-image's
/// hog(block_norm='L2-Hys'). (H,W) -> (H/cell - block + 1)(W/cell - block + 1) block^2 orientations
/// values, block by block, in each cell by cell: 8,100 of 128x128. Throws Error where no block
/// fits.
std::vector<float> hog_descriptor(const Grey& image, const HogOptions& options = {});

}  // namespace limbic::baselines
