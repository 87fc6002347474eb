#include "../exercise.h"

namespace limbic::course {
namespace {

// Pixels from a window's first to its last.
int64_t extent(const Window& w) { return (w.kernel_size - 1) * w.dilation + 1; }

}  // namespace

int64_t output_size(int64_t size, const Window& window) {
  const int64_t free = size + 2 * window.padding - extent(window);
  return free < 0 ? 0 : free / window.stride + 1;
}

Array conv2d(const Array& src, const Array& weight, const Window& window) {
  const int64_t height = src.shape[2], width = src.shape[3];
  Array dst(
      {src.shape[0], weight.shape[0], output_size(height, window), output_size(width, window)});
  for_each(dst, [&](int64_t n, int64_t o, int64_t y, int64_t x) {
    double sum = 0;
    for (int64_t c = 0; c < src.shape[1]; ++c)
      for (int64_t u = 0; u < weight.shape[2]; ++u)
        for (int64_t v = 0; v < weight.shape[3]; ++v) {
          const int64_t row = y * window.stride - window.padding + u * window.dilation;
          const int64_t column = x * window.stride - window.padding + v * window.dilation;
          if (row < 0 || column < 0 || row >= height || column >= width) continue;
          sum += weight.at(o, c, u, v) * src.at(n, c, row, column);
        }
    dst.at(n, o, y, x) = sum;
  });
  return dst;
}

int64_t receptive_field(std::span<const Window> layers) {
  int64_t field = 1, step = 1;  // step: pixels of the picture between neighbours of a layer
  for (const Window& layer : layers) {
    field += (extent(layer) - 1) * step;
    step *= layer.stride;
  }
  return field;
}

}  // namespace limbic::course
