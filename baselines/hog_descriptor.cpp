#include "limbic/baselines/hog_descriptor.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "limbic/core/error.h"

namespace limbic::baselines {
namespace {

// Mean length of the gradients of each bin, (rows,columns,orientations).
std::vector<double> cell_histograms(const Grey& image, const HogOptions& o) {
  const int64_t rows = image.height / o.cell, columns = image.width / o.cell;
  std::vector<double> out(static_cast<size_t>(rows * columns * o.orientations));
  for (int64_t y = 0; y < rows * o.cell; ++y)
    for (int64_t x = 0; x < columns * o.cell; ++x) {
      const bool border_y = y == 0 || y == image.height - 1;
      const bool border_x = x == 0 || x == image.width - 1;
      const double gy = border_y ? 0 : double{image.at(y + 1, x)} - double{image.at(y - 1, x)};
      const double gx = border_x ? 0 : double{image.at(y, x + 1)} - double{image.at(y, x - 1)};
      double angle = std::atan2(gy, gx) * (180 / std::numbers::pi);
      if (angle < 0) angle += 180;
      if (angle >= 180) angle -= 180;
      const auto bin =
          std::min(o.orientations - 1,
                   static_cast<int64_t>(angle * static_cast<double>(o.orientations) / 180));
      const int64_t cell = y / o.cell * columns + x / o.cell;
      out[static_cast<size_t>(cell * o.orientations + bin)] += std::hypot(gx, gy);
    }
  for (double& value : out) value /= static_cast<double>(o.cell * o.cell);
  return out;
}

void l2_hys(std::vector<double>& block) {
  for (int pass = 0; pass < 2; ++pass) {
    double squares = 1e-10;
    for (const double v : block) squares += v * v;
    for (double& v : block) {
      v /= std::sqrt(squares);
      if (pass == 0) v = std::min(v, 0.2);
    }
  }
}

}  // namespace

std::vector<float> hog_descriptor(const Grey& image, const HogOptions& o) {
  require(o.cell >= 1 && o.block >= 1 && o.orientations >= 1,
          "HOG: cell, block and orientations must be positive");
  const int64_t rows = image.height / o.cell - o.block + 1;
  const int64_t columns = image.width / o.cell, across = columns - o.block + 1;
  require(rows >= 1 && across >= 1, "HOG: a picture of ", image.height, " x ", image.width,
          " has no block of ", o.block * o.cell, " pixels");
  const std::vector<double> cells = cell_histograms(image, o);
  std::vector<float> out;
  std::vector<double> block;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < across; ++c) {
      block.clear();
      for (int64_t y = r; y < r + o.block; ++y) {
        const auto begin = cells.begin() + (y * columns + c) * o.orientations;
        block.insert(block.end(), begin, begin + o.block * o.orientations);
      }
      l2_hys(block);
      for (const double v : block) out.push_back(static_cast<float>(v));
    }
  return out;
}

}  // namespace limbic::baselines
