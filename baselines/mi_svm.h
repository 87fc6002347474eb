#pragma once
#include "limbic/baselines/linear_svm.h"

namespace limbic::baselines {

struct MiSvmOptions {
  double C = 1;
  int64_t max_rounds = 10;
  uint64_t seed = 0;
};

/// Bags of `size` instances each: x F32 (bags * size,d), a bag's rows one after the other.
struct Bags {
  Tensor x;
  int64_t size = 1;
};

/// mi-SVM, one class against the rest: instances of a bag of the class start as positive, those of
/// other bags are negative throughout; then in turns a linear SVM learns and the instances of the
/// class's bags become what it says of them, at least the best of each bag being positive, until
/// none changes. Positive instances weigh as much more as their bags are fewer. Source: Andrews,
/// Tsochantaridis, Hofmann, "Support vector machines for multiple-instance learning", NIPS 2002,
/// figure 3.
LinearClassifier train_mi_svm(const Bags& bags, const std::vector<int64_t>& labels, int64_t classes,
                              const MiSvmOptions& options);

/// The class with the largest decision over all instances of a bag.
std::vector<int64_t> predict_bags(const LinearClassifier& classifier, const Bags& bags);

}  // namespace limbic::baselines
