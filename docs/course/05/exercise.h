#pragma once
#include "docs/course/check.h"

namespace limbic::course {

/// Exercise 1. dst holds the channels of src[0], then those of src[1], and so on. The gradients of
/// the src, each of its shape, from dy, the gradient of dst. All (N,.,H,W).
std::vector<Array> concat_gradients(const std::vector<Array>& src, const Array& dy);

/// Exercise 2. How many channels a DenseNet's last layer sees. Each layer of a block appends
/// `growth` channels. Between two blocks a transition keeps half of the channels, rounded down.
struct DenseNet {
  int64_t first = 64;  ///< Channels in front of the first block.
  int64_t growth = 32;
  std::vector<int64_t> blocks;  ///< Layers of each.
};
int64_t feature_channels(const DenseNet& net);

/// Exercise 3. A dense block in one array: its first channels are src, behind them lies what layer
/// 0 made, then layer 1, ... Layer l reads all channels before its own:
///   own channels = relu(conv2d(those before, weights[l], {}, {.padding = 1}))
/// dst (N,C,H,W) is the whole array after the forward pass, weights[l] (growth, C_l, 3, 3) with C_l
/// the channels before, dy the gradient of dst by those who read the block. -> the gradient of src,
/// (N,C_0,H,W). `channels` takes part of an array; conv2d_backward and relu_backward are
/// reference's (relu's looks at the sign of its src, which is that of its dst too).
Array dense_block_backward(const Array& dst, const std::vector<Array>& weights, const Array& dy);

/// Channels begin, ..., begin + n - 1 of an array.
struct Channels {
  int64_t begin, n;
};
inline Array channels(const Array& src, const Channels& which) {
  Array out({src.shape[0], which.n, src.shape[2], src.shape[3]});
  for_each(out, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    out.at(n, c, y, x) = src.at(n, which.begin + c, y, x);
  });
  return out;
}

}  // namespace limbic::course
