#include "limbic/baselines/dense_sift.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "limbic/core/error.h"
#include "limbic/core/simd.h"

namespace limbic::baselines {
namespace {

constexpr int64_t bins = 4, orientations = 8, width_of_descriptor = bins * bins * orientations;

// The angle of (y,x) by a cubic: wrong by 0.01 at most, as VLFeat's is, which the descriptors are
// held against.
float fast_atan2(float y, float x) {
  constexpr float pi = std::numbers::pi_v<float>;
  const float abs_y = std::abs(y) + 1.19209290e-7f;
  const float r = x >= 0 ? (x - abs_y) / (x + abs_y) : (x + abs_y) / (abs_y - x);
  const float angle = (x >= 0 ? 0.25f : 0.75f) * pi + (0.1821f * r * r - 0.9675f) * r;
  return y < 0 ? -angle : angle;
}

float difference(float before, float here, float after, bool first, bool last) {
  return first && last ? 0 : first ? after - here : last ? here - before : 0.5f * (after - before);
}

// The gradient's length, dealt to its two nearest orientations: planes of (H,W).
std::vector<Grey> orientation_planes(const Grey& image) {
  const int64_t h = image.height, w = image.width;
  std::vector<Grey> planes(orientations, Grey(h, w));
  for (int64_t y = 0; y < h; ++y)
    for (int64_t x = 0; x < w; ++x) {
      const float gx = difference(image.at(y, std::max<int64_t>(x - 1, 0)), image.at(y, x),
                                  image.at(y, std::min(x + 1, w - 1)), x == 0, x == w - 1);
      const float gy = difference(image.at(std::max<int64_t>(y - 1, 0), x), image.at(y, x),
                                  image.at(std::min(y + 1, h - 1), x), y == 0, y == h - 1);
      const float length = std::sqrt(gx * gx + gy * gy);
      constexpr float two_pi = 2 * std::numbers::pi_v<float>;
      float angle = fast_atan2(gy, gx);
      if (angle < 0) angle += two_pi;
      const float t = angle * (static_cast<float>(orientations) / two_pi);
      const auto bin = static_cast<int64_t>(t);
      const float part = t - static_cast<float>(bin);
      planes[static_cast<size_t>(bin % orientations)].at(y, x) = (1 - part) * length;
      planes[static_cast<size_t>((bin + 1) % orientations)].at(y, x) = part * length;
    }
  return planes;
}

// A bin's triangle times the window seen from it: 2 b - 1 taps.
std::vector<float> kernel(int64_t bin, const DenseSiftOptions& o) {
  const double b = static_cast<double>(o.bin_size);
  const double centre = b * (static_cast<double>(bin) - 0.5 * (bins - 1)),
               sigma = b * o.window_size;
  std::vector<float> taps;
  for (int64_t i = 1 - o.bin_size; i < o.bin_size; ++i) {
    const double x = static_cast<double>(i), z = (x + centre) / sigma;
    taps.push_back(static_cast<float>((1 - std::abs(x) / b) * std::exp(-0.5 * z * z)));
  }
  return taps;
}

// row(x) = sum over taps of the plane's column x around `centre`, the border's pixels repeated.
LIMBIC_MULTIVERSION void sum_columns(const float* plane, int64_t h, int64_t w, int64_t centre,
                                     const float* taps, int64_t reach, float* row) {
  std::fill(row, row + w, 0.0f);
  for (int64_t i = -reach; i <= reach; ++i) {
    const float tap = taps[i + reach];
    const float* src = plane + std::clamp<int64_t>(centre + i, 0, h - 1) * w;
    for (int64_t x = 0; x < w; ++x) row[x] += tap * src[x];
  }
}

void normalise(float* d) {
  for (int pass = 0; pass < 2; ++pass) {
    float norm = 0;
    for (int64_t i = 0; i < width_of_descriptor; ++i) norm += d[i] * d[i];
    norm = std::sqrt(norm) + 1.19209290e-7f;
    for (int64_t i = 0; i < width_of_descriptor; ++i) {
      d[i] /= norm;
      if (pass == 0) d[i] = std::min(d[i], 0.2f);
    }
  }
}

}  // namespace

DenseSift dense_sift(const Grey& image, const DenseSiftOptions& o) {
  require(o.step >= 1 && o.bin_size >= 1 && o.window_size > 0,
          "dense SIFT: step, bin size and window must be positive, got ", o.step, ", ", o.bin_size,
          " and ", o.window_size);
  const int64_t h = image.height, w = image.width, extent = (bins - 1) * o.bin_size;
  const int64_t columns = w - 1 >= extent ? (w - 1 - extent) / o.step + 1 : 0;
  const int64_t rows = h - 1 >= extent ? (h - 1 - extent) / o.step + 1 : 0;
  DenseSift out;
  if (rows == 0 || columns == 0) return out;
  out.descriptors = Tensor({rows * columns, width_of_descriptor});
  const std::vector<Grey> planes = orientation_planes(image);
  const int64_t reach = o.bin_size - 1;
  std::vector<float> taps[bins], row(static_cast<size_t>(w));
  for (int64_t i = 0; i < bins; ++i) taps[i] = kernel(i, o);
  // Only what is sampled is summed: a row of columns first, then single sums along it.
  for (int64_t t = 0; t < orientations; ++t)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t by = 0; by < bins; ++by) {
        sum_columns(planes[static_cast<size_t>(t)].values.data(), h, w,
                    r * o.step + by * o.bin_size, taps[by].data(), reach, row.data());
        for (int64_t c = 0; c < columns; ++c)
          for (int64_t bx = 0; bx < bins; ++bx) {
            const int64_t centre = c * o.step + bx * o.bin_size;
            float sum = 0;
            for (int64_t i = -reach; i <= reach; ++i)
              sum += taps[bx][static_cast<size_t>(i + reach)] *
                     row[static_cast<size_t>(std::clamp<int64_t>(centre + i, 0, w - 1))];
            out.descriptors.data()[(r * columns + c) * width_of_descriptor +
                                   (by * bins + bx) * orientations + t] = sum;
          }
      }
  for (int64_t i = 0; i < rows * columns; ++i) {
    normalise(out.descriptors.data() + i * width_of_descriptor);
    const double half = 0.5 * static_cast<double>(extent);
    out.x.push_back(static_cast<float>(static_cast<double>(i % columns * o.step) + half));
    out.y.push_back(static_cast<float>(static_cast<double>(i / columns * o.step) + half));
  }
  return out;
}

}  // namespace limbic::baselines
