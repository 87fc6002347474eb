#pragma once
#include "array.h"

namespace limbic::reference {

/// What one tile of one channel becomes on its way through F(2x2, 3x3): two outputs a side take 16
/// multiplications, where their sums have 36 products. The first three are (1,1,4,4).
struct WinogradTile {
  Array input;    ///< B^T d B
  Array weight;   ///< G g G^T
  Array product;  ///< Of these two, element by element.
  Array output;   ///< A^T product A, (1,1,2,2).
};

/// Pixels d (1,1,4,4), weights g (1,1,3,3). Lavin and Gray 2015, arXiv:1509.09308, section 4.1;
/// docs/winograd.md derives the matrices. Throws std::invalid_argument for other shapes.
WinogradTile winograd_tile(const Array& d, const Array& g);

/// The 3x3 convolution of stride 1 that conv2d computes, tile by tile: the channels' products are
/// summed before they are transformed back. src (N,C,H,W), weight (O,C,3,3) -> (N,O,OH,OW). Throws
/// std::invalid_argument where shapes do not fit.
Array winograd_conv2d(const Array& src, const Array& weight, const Padding& padding);

}  // namespace limbic::reference
