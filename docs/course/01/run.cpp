// A drawn digit as numbers: how they lie in memory, their mean and deviation, and how a computer
// that knows nothing but distances reads digits.
#include <cmath>
#include <cstdio>

#include "reference/batch_norm.h"
#include "reference/glyphs.h"
#include "reference/pool2d.h"

using namespace limbic::reference;

namespace {

void print(const Array& image) {
  for (int64_t y = 0; y < image.height(); ++y) {
    for (int64_t x = 0; x < image.width(); ++x) std::printf("%5.1f", image.at(0, 0, y, x));
    std::printf("\n");
  }
}

/// (x - mean) / deviation, with the mean and deviation of all pixels.
Array normalise(Array images) {
  const Moments moments = batch_moments(images);
  for (double& pixel : images.values) pixel = (pixel - moments.mean[0]) / std::sqrt(moments.var[0]);
  return images;
}

/// The label of the known picture that is nearest: the smallest sum of squared differences.
int64_t nearest(const Array& known, const std::vector<int64_t>& labels, const double* picture) {
  const int64_t pixels = count(known.shape) / known.shape[0];
  double smallest = HUGE_VAL;
  int64_t label = -1;
  for (int64_t n = 0; n < known.shape[0]; ++n) {
    double distance = 0;
    for (int64_t i = 0; i < pixels; ++i) {
      const double difference = known[n * pixels + i] - picture[i];
      distance += difference * difference;
    }
    if (distance < smallest) smallest = distance, label = labels[static_cast<size_t>(n)];
  }
  return label;
}

double share_right(const Glyphs& known, const Glyphs& asked) {
  const int64_t n = asked.images.shape[0], pixels = count(asked.images.shape) / n;
  int64_t right = 0;
  for (int64_t i = 0; i < n; ++i)
    right += nearest(known.images, known.labels, &asked.images.values[size_t(i * pixels)]) ==
             asked.labels[size_t(i)];
  return 100.0 * static_cast<double>(right) / static_cast<double>(n);
}

}  // namespace

int main() {
  Random random(4);
  const Glyphs one = draw_glyphs(1, random);
  std::printf("a picture %s of the digit %d; pixel (y=12, x=20) is number %d of its %d values\n",
              text(one.images.shape).c_str(), static_cast<int>(one.labels[0]),
              static_cast<int>(one.images.index(0, 0, 12, 20)),
              static_cast<int>(one.images.values.size()));
  std::printf("\nthe means of its 4x4 squares:\n");
  print(avg_pool2d(one.images, {.kernel_size = 4, .stride = 4}));

  Random training(1), test(2);
  const Glyphs known = draw_glyphs(1000, training), asked = draw_glyphs(200, test);
  const Moments before = batch_moments(known.images);
  const Moments after = batch_moments(normalise(known.images));
  std::printf("\n1000 pictures: mean %.3f, variance %.3f; normalised: %.3f and %.3f\n",
              before.mean[0], before.var[0], std::abs(after.mean[0]), after.var[0]);
  std::printf("the nearest of 1000 known pictures has the right label for %.1f %% of 200\n",
              share_right(known, asked));
}
