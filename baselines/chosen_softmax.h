#pragma once
#include "limbic/baselines/chosen_svm.h"
#include "limbic/emotion/softmax_classifier.h"

namespace limbic::baselines {

/// A dense layer with softmax over standardised feature vectors.
class ChosenSoftmax {
 public:
  /// Learns from `train`; the weight decay, of 0.001, 0.01, 0.1 and 1, is the one that labels most
  /// rows of `validation` rightly (folds of `train` where it has none). Throws Error as
  /// require_two_classes does.
  ChosenSoftmax(const Features& train, const Features& validation, int64_t classes, uint64_t seed);

  std::vector<int64_t> predict(const Tensor& x) const;
  /// "softmax, weight decay 0.01 (45.2 % of the validation pictures)".
  const std::string& description() const { return description_; }

 private:
  svm::BlockScaler scaler_;
  emotion::SoftmaxClassifier classifier_;
  std::string description_;
};

}  // namespace limbic::baselines
