#pragma once
#include <functional>
#include <optional>

#include "limbic/baselines/linear_svm.h"
#include "limbic/baselines/pictures.h"
#include "limbic/svm/scaler.h"
#include "limbic/svm/svc.h"

namespace limbic::baselines {

/// Which rows choose: those of the validation pictures, or where there are none, folds of those
/// that learn.
struct Folds {
  std::vector<int64_t> labels;  ///< Of the learning rows, then the validation's.
  std::vector<int> fold;  ///< Of each; -1 always trains. Folds are held out one after the other.
  int count = 0;
};
Folds make_folds(const std::vector<int64_t>& train, const std::vector<int64_t>& validation,
                 uint64_t seed);

/// Share of held-out rows that are labelled rightly where learn(rows that train, rows held out)
/// says the labels of the second.
double held_out_accuracy(
    const Folds& folds,
    const std::function<std::vector<int64_t>(const std::vector<int64_t>& learning,
                                             const std::vector<int64_t>& held_out)>& learn);

/// "(45.2 % of the validation pictures)".
std::string held_out_text(double accuracy, const Features& validation);

struct SvmCandidates {
  std::vector<double> linear_C;  ///< Of our linear SVM.
  std::vector<double> rbf_C;     ///< Of the RBF SVM, gamma by the rule `scale`.
  bool standardise = true;       ///< Features to mean 0 and variance 1 first.
  uint64_t seed = 0;
};

/// The best of some SVMs over feature vectors.
class ChosenSvm {
 public:
  /// Learns from `train`, the kernel and C being those that label most rows of `validation` rightly
  /// (five folds of `train` where it has none); among equals the first. Throws Error as
  /// require_two_classes does, and svm::train_svc.
  ChosenSvm(const Features& train, const Features& validation, int64_t classes,
            const SvmCandidates& candidates);

  std::vector<int64_t> predict(const Tensor& x) const;
  /// "RBF SVM, C 10 (45.2 % of the validation pictures)".
  const std::string& description() const { return description_; }
  double accuracy() const { return accuracy_; }  ///< Of what was held out, 0-1.

 private:
  Tensor scaled(const Tensor& x) const;

  svm::BlockScaler scaler_;
  bool scales_ = false;
  std::optional<LinearClassifier> linear_;
  std::optional<svm::SvcModel> rbf_;
  std::string description_;
  double accuracy_ = -1;
};

}  // namespace limbic::baselines
