#pragma once
#include "limbic/reference/array.h"

namespace limbic::twins {

using reference::Array;

/// The three matrices of F(m, 3): m outputs of a one-dimensional convolution with 3 weights are
///   s = A^T [ (G g) * (B^T d) ]          d: m + 2 inputs, g: 3 weights, * element by element.
struct WinogradMatrices {
  std::vector<std::vector<double>> bt;  ///< m + 2 rows of m + 2
  std::vector<std::vector<double>> g;   ///< m + 2 rows of 3
  std::vector<std::vector<double>> at;  ///< m rows of m + 2
};

/// The finite points of F(m, 3): 0, 1, -1 for m = 2; 0, +-5/8, +-3/2 for m = 4.
std::vector<double> winograd_points(int m);
/// Made by Toom and Cook's method from the points and infinity; m is one less than the number of
/// points. docs/winograd.md derives them.
WinogradMatrices winograd_matrices(const std::vector<double>& points);

/// The 3x3 convolution of stride 1 by F(m x m, 3 x 3): equal to conv2d, with fewer multiplications.
Array winograd_conv2d(const Array& src, const Array& weight, const reference::Padding& padding,
                      int m);

/// The gradient of its weights by the same algorithm transposed, m = 4: equal to that of
/// reference::conv2d_backward.
Array winograd_backward_weights(const Array& src, const Array& diff_dst,
                                const reference::Padding& padding);

}  // namespace limbic::twins
