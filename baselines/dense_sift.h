#pragma once
#include "limbic/baselines/grey.h"
#include "limbic/core/tensor.h"

namespace limbic::baselines {

struct DenseSiftOptions {
  int64_t step = 8;        ///< Pixels between descriptors, along either axis.
  int64_t bin_size = 4;    ///< Pixels of one of the 4 x 4 bins.
  double window_size = 2;  ///< Standard deviation of the Gaussian window, in bins.
};

/// Descriptors of a picture: 4 x 4 bins of 8 orientations, upright.
struct DenseSift {
  Tensor descriptors;       ///< (N,128): orientation runs fastest, then x, then y. L2 norm 1 or 0.
  std::vector<float> x, y;  ///< N centres in pixels.
};

/// SIFT at every `step` pixels (Lowe 2004), as VLFeat's vl_dsift with a Gaussian window has it:
/// h(t,i,j) = sum over pixels of |J| w_t(angle J) k_i(x) k_j(y), triangular bins, then L2, clipped
/// at 0.2, L2. N = (1 + (W - 1 - 3 b) / step) (1 + (H - 1 - 3 b) / step); 0 where the picture is
/// smaller than a descriptor. Source: vlfeat.org/api/dsift.html.
DenseSift dense_sift(const Grey& image, const DenseSiftOptions& options = {});

}  // namespace limbic::baselines
