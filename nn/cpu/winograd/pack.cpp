#include <algorithm>

#include "limbic/core/packed_gemm.h"
#include "limbic/core/parallel.h"
#include "limbic/nn/cpu/winograd/convolution.h"

namespace limbic::winograd {

int64_t Convolution::packed_weight_floats() const {
  return vectors_ * geometry_.in_channels * 9 * vector_floats();
}

// Packed weights are (out_channels / vector, in_channels, 9, vector), the last vector filled up
// with zeros: still 9 numbers a kernel. run() transforms them: that costs little beside the
// product, and reading (m+2)^2 numbers from memory would cost more.
void Convolution::pack(const float* weight, const PackOptions& options, float* packed) const {
  const int64_t in = geometry_.in_channels, out = geometry_.out_channels, lanes = vector_floats();
  // The source's strides by output channel, input channel and kernel element.
  const bool backward = options.backward_data;
  int64_t by_out = in * 9, by_in = 9, by_tap = 1;
  if (options.layout == WeightLayout::hwio) {
    by_out = backward ? in : 1;
    by_in = backward ? 1 : out;
    by_tap = in * out;
  } else if (backward) {
    by_out = 9;
    by_in = out * 9;
  }
  if (backward) {  // the rotated kernel is the kernel read from its end
    weight += 8 * by_tap;
    by_tap = -by_tap;
  }
  parallel_for(vectors_ * in, [&](int64_t i) {
    const int64_t v = i / in, k = i % in, width = std::min(lanes, out - v * lanes);
    const float* from = weight + v * lanes * by_out + k * by_in;
    float* to = packed + i * 9 * lanes;
    for (int64_t tap = 0; tap < 9; ++tap)
      for (int64_t j = 0; j < lanes; ++j)
        to[tap * lanes + j] = j < width ? from[tap * by_tap + j * by_out] : 0.0f;
  });
}

}  // namespace limbic::winograd
