#pragma once
// explain: what a network saw in a picture: maps of what spoke for a class, how far they can be
// believed, feature maps and filters, and what the emotion pipeline made its decision of.
#include <cstdint>
#include <vector>

#include "limbic/core/tensor.h"

namespace limbic::explain {

/// How much each place speaks for a class: height x width, row by row.
struct Map {
  int64_t height = 0, width = 0;
  std::vector<float> values = {};

  bool operator==(const Map&) const = default;
};

/// From the smallest value to the largest as 0 to 1; where all are equal, 0. Throws Error where one
/// is not finite.
Map stretched(Map map);

/// Bilinear, each cell's value in its middle, as PyTorch's interpolate with align_corners off:
/// (height,width), row by row.
std::vector<float> upsampled(const Map& map, int64_t height, int64_t width);

// From one picture's feature maps A (1,C,H,W) and the gradient g of the class's score with respect
// to them, of the same shape, to a map of H x W that is not stretched. Throw Error for other
// shapes.

/// ReLU(sum_k w_k A_k), w_k the mean of g_k over the places. Selvaraju et al. 2017,
/// arXiv:1610.02391.
Map grad_cam(const Tensor& features, const Tensor& gradients);
/// The same with w_k the sum of a_k ReLU(g_k), a_k = g_k^2 / (2 g_k^2 + g_k^3 sum of A_k), 0 where
/// g_k is: the class's score is taken as the exponential's exponent, whose value cancels.
/// Chattopadhyay et al. 2018, arXiv:1710.11063, equation 19.
Map grad_cam_plus_plus(const Tensor& features, const Tensor& gradients);
/// sum_k s_k A_k cut off at 0, s the softmax of `scores`, one for each feature map. Wang et al.
/// 2020, arXiv:1910.01279, algorithm 1.
Map score_cam(const Tensor& features, const std::vector<double>& scores);
/// The feature maps' first principal component without centring, its sign such that its sum is
/// positive; it knows no class. Muhammad and Yeasin 2020, arXiv:2008.00299.
Map eigen_cam(const Tensor& features);

}  // namespace limbic::explain
