// LeNet-5 learns ten digits that this program draws: the whole of training in plain loops. Prints
// the loss as it falls and the accuracy on pictures that it has not seen; status 1 where it has not
// learned. `make reference` builds and runs it.
#include "lenet.h"

#include <cstdio>

using namespace limbic::reference;

namespace {

constexpr int batch = 16, steps = 160, unseen = 20;  // pictures a batch; batches

int64_t right_ones(const LeNet& net, const Glyphs& glyphs) {
  const Array logits = net.forward(glyphs.images);
  int64_t right = 0;
  for (int64_t n = 0; n < logits.shape[0]; ++n) {
    int64_t best = 0;
    for (int64_t c = 1; c < logits.shape[1]; ++c)
      if (logits.at(n, c) > logits.at(n, best)) best = c;
    right += best == glyphs.labels[static_cast<size_t>(n)];
  }
  return right;
}

}  // namespace

int main() {
  Random training(1), test(2);
  LeNet net(3);
  double mean = 0;
  for (int step = 1; step <= steps; ++step) {
    mean += net.step(draw_glyphs(batch, training), {.learning_rate = 0.01, .momentum = 0.9}) / 20;
    if (step % 20 != 0) continue;
    std::printf("steps %3d to %3d: mean loss %.6f\n", step - 19, step, mean);
    mean = 0;
  }
  int64_t right = 0;
  for (int i = 0; i < unseen; ++i) right += right_ones(net, draw_glyphs(batch, test));
  const double share = 100.0 * static_cast<double>(right) / (unseen * batch);
  std::printf("right on %.1f %% of %d unseen pictures\n", share, unseen * batch);
  if (share >= 90) return 0;
  std::printf("lenet: has not learned, expected at least 90 %%\n");
  return 1;
}
