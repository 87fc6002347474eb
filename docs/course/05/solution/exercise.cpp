#include "../exercise.h"

#include "reference/activation.h"
#include "reference/conv2d.h"

namespace limbic::course {

std::vector<Array> concat_gradients(const std::vector<Array>& src, const Array& dy) {
  std::vector<Array> gradients;
  int64_t begin = 0;
  for (const Array& piece : src) {
    gradients.push_back(channels(dy, {begin, piece.shape[1]}));
    begin += piece.shape[1];
  }
  return gradients;
}

int64_t feature_channels(const DenseNet& net) {
  int64_t channels = net.first;
  for (size_t block = 0; block < net.blocks.size(); ++block) {
    if (block > 0) channels /= 2;
    channels += net.growth * net.blocks[block];
  }
  return channels;
}

Array dense_block_backward(const Array& dst, const std::vector<Array>& weights, const Array& dy) {
  Array gradient = dy;
  for (size_t l = weights.size(); l-- > 0;) {
    const Channels before{0, weights[l].shape[1]}, own{weights[l].shape[1], weights[l].shape[0]};
    const Array d = reference::relu_backward(channels(dst, own), channels(gradient, own));
    const Array sent =
        reference::conv2d_backward(channels(dst, before), weights[l], {.padding = 1}, d).src;
    for_each(sent, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
      gradient.at(n, c, y, x) += sent.at(n, c, y, x);
    });
  }
  return channels(gradient, {0, weights[0].shape[1]});
}

}  // namespace limbic::course
