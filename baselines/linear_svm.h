#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "limbic/core/tensor.h"

namespace limbic::baselines {

enum class SvmLoss { hinge, squared_hinge };

struct LinearSvmOptions {
  SvmLoss loss = SvmLoss::squared_hinge;
  double C = 1;
  double positive_weight = 1;  ///< Factor of C for rows of y = 1.
  double bias = 1;   ///< A feature of this value is appended to every row, as `-B 1`; 0: none.
  double eps = 0.1;  ///< Of the largest less the smallest projected gradient.
  int64_t max_passes = 1000;
  uint64_t seed = 0;
};

struct LinearSvm {
  std::vector<double> w;  ///< d values, then the bias times its feature: f(x) = w x + w[d].
  double objective = 0;   ///< Of the dual: 1/2 a Q a - sum of a, at the last pass.
  int64_t passes = 0;
  bool converged = false;

  double decision(const float* row) const;
};

/// Some rows of a matrix and what each is: +1 or -1.
struct BinaryRows {
  const Tensor& x;                ///< F32 (n,d).
  std::span<const int64_t> rows;  ///< m of them.
  std::span<const int8_t> y;      ///< m.
};

/// min over w of 1/2 ||w||^2 + C sum of max(0, 1 - y w x)^p, p = 1 (hinge) or 2, by dual coordinate
/// descent with shrinking, rows in an order drawn anew each pass. `alpha`, where it is given, holds
/// m values to start from and takes the last ones. Throws Error for C or eps that are not positive,
/// sizes that do not fit, or rows that are not finite. Source: Hsieh, Chang, Lin, Keerthi,
/// Sundararajan, "A dual coordinate descent method for large-scale linear SVM", ICML 2008,
/// algorithms 1 and 3; LIBLINEAR's -s 1, 3.
LinearSvm train_linear_svm(const BinaryRows& data, const LinearSvmOptions& options,
                           std::vector<double>* alpha = nullptr);

/// One against the rest, a class a row.
struct LinearClassifier {
  Tensor weight;  ///< F32 (classes,d).
  Tensor bias;    ///< F32 (classes).
  bool converged = true;

  /// x F32 (m,d) -> F32 (m,classes).
  Tensor decisions(const Tensor& x) const;
  /// The class of the largest decision, the first of equals.
  std::vector<int64_t> predict(const Tensor& x) const;
};
/// Trains a class's SVM against all others, classes in parallel. A class without rows is never
/// said.
LinearClassifier train_one_vs_rest(const Tensor& x, std::span<const int64_t> labels,
                                   int64_t classes, const LinearSvmOptions& options);

}  // namespace limbic::baselines
