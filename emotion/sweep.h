#pragma once
#include <functional>

#include "limbic/emotion/fit.h"

namespace limbic::emotion {

struct FusionSweepOptions {
  std::vector<Fusion> fusions;
  std::vector<double> C;
  ClassifierOptions classifier;  ///< Scaling, gamma and seed of all cells; fusion and C apart.
  int64_t budget_bytes = int64_t{8} << 30;  ///< Of distances and kernel values.
  /// Whether a cell is known already, and need not be computed or reported.
  std::function<bool(size_t fusion, std::optional<double> C)> known =
      [](size_t, std::optional<double>) { return false; };
};

/// The score of one classifier over one fusion.
struct FusionCell {
  size_t fusion = 0;
  std::optional<double> C;  ///< Of the SVM; none: the dense softmax layer.
  /// Of the pictures that chose the epoch, none of which trained anything; none where the test
  /// pictures chose it.
  std::optional<double> validation_accuracy;
  double test_accuracy = 0;
  std::vector<int64_t> validation_labels, test_labels;  ///< What it answers, row by row.
  bool converged = true;  ///< false where the solver reached its iteration limit first.
};

/// Table 2 and Fig. 3 of the paper: done(cell) for the dense layer and the SVM with each C over
/// each fusion of features that prepare_fit held test pictures out of. The scaler and all
/// classifiers learn from the training pictures without those of validation. Throws Error as
/// train_svc does.
void sweep_fusions(const FitResult& prepared, const FusionSweepOptions& options,
                   const std::function<void(const FusionCell&)>& done);

/// The cell of the greatest score among fusions x C. Of equals the one whose fusion does best over
/// all C, and of these the first: a place where a little more or less changes nothing is worth more
/// than a lucky one.
struct BestCell {
  size_t fusion = 0, C = 0;
  double score = -1;
};
BestCell best_cell(size_t fusions, size_t Cs,
                   const std::function<double(size_t fusion, size_t C)>& score);

/// SHA-256 of all that sweep_fusions takes from the features: blocks, labels, division.
std::string hash_of_features(const FitResult& prepared);

}  // namespace limbic::emotion
