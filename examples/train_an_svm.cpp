// Trains a support vector machine on two rings, one inside the other. No straight line parts them;
// the RBF kernel K(a,b) = exp(-gamma |a-b|^2) measures nearness instead, and can.
#include <cmath>
#include <cstdio>
#include <numbers>
#include <vector>

#include "limbic/core/random.h"
#include "limbic/svm/svc.h"

using namespace limbic;
using namespace limbic::svm;

struct Points {
  Tensor x;  // (n,2)
  std::vector<int> labels;
};

// Label 0 at radius 1, label 1 at radius 2, both a little noisy.
Points rings(int64_t n, uint64_t seed) {
  Random random(seed);
  Points points{Tensor({n, 2}), {}};
  for (int64_t i = 0; i < n; ++i) {
    const int label = static_cast<int>(i % 2);
    const double angle = random.uniform(0, 2 * std::numbers::pi);
    const double radius = 1 + label + 0.15 * random.normal();
    points.x.data()[2 * i] = static_cast<float>(radius * std::cos(angle));
    points.x.data()[2 * i + 1] = static_cast<float>(radius * std::sin(angle));
    points.labels.push_back(label);
  }
  return points;
}

double accuracy(const SvcModel& model, const Points& points) {
  const std::vector<int> predicted = predict(model, points.x);
  double right = 0;
  for (size_t i = 0; i < predicted.size(); ++i) right += predicted[i] == points.labels[i];
  return right / static_cast<double>(predicted.size());
}

int main() {
  const Points train = rings(300, 1), test = rings(1000, 2);

  // C is the price of a point on the wrong side of its margin; gamma, by the rule `scale`, is one
  // over the summed variance of the features.
  const SvcModel rbf = train_svc(train.x, train.labels, {.C = 1});
  const SvcModel linear = train_svc(train.x, train.labels, {.C = 1, .kernel = KernelType::linear});
  std::printf("RBF kernel, gamma %.3f: %ld of %ld points are support vectors, accuracy %.1f %%\n",
              rbf.gamma, rbf.support_vectors.dim(0), train.x.dim(0), 100 * accuracy(rbf, test));
  std::printf("linear kernel, for comparison: %.1f %%\n", 100 * accuracy(linear, test));

  // A map of the plane, all its points predicted at once: '#' where the inner ring's label wins.
  constexpr int64_t rows = 15, columns = 41;
  Tensor plane({rows * columns, 2});
  for (int64_t i = 0; i < plane.dim(0); ++i) {
    plane.data()[2 * i] = static_cast<float>(i % columns - columns / 2) / 8.0f;
    plane.data()[2 * i + 1] = static_cast<float>(i / columns - rows / 2) / 3.0f;
  }
  const std::vector<int> labels = predict(rbf, plane);
  for (size_t i = 0; i < labels.size(); ++i) {
    std::putchar(labels[i] == 0 ? '#' : '.');
    if ((i + 1) % columns == 0) std::putchar('\n');
  }
  return accuracy(rbf, test) > 0.95 ? 0 : 1;
}
