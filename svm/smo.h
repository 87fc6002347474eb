#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "limbic/svm/kernel_rows.h"

namespace limbic::svm {

/// The dual of a support vector machine:
///
///   min over alpha   f(alpha) = 1/2 alpha' Q alpha + p' alpha,   Q_ij = y_i y_j K_ij
///   subject to       y' alpha = 0,   0 <= alpha_i <= C_i
///
/// A C-SVM of two classes has p_i = -1. K is given for all samples of a data set; `rows` says which
/// of them each variable belongs to.
struct SmoProblem {
  KernelRows& kernel;
  std::span<const int64_t> rows;  ///< Sample of each variable.
  std::span<const int8_t> y;      ///< +1 or -1 of each.
  double C_positive = 1, C_negative = 1;
  std::span<const double> p = {};      ///< Empty: -1 each.
  std::span<const double> start = {};  ///< A feasible alpha to begin with; empty: 0.
};

struct SmoOptions {
  double eps = 1e-3;  ///< Stops when no pair violates the KKT conditions by this much.
  bool shrinking = true;
  int64_t max_iterations = 0;  ///< 0: the larger of 10^7 and 100 variables.
};

struct SmoResult {
  std::vector<double> alpha;  ///< One for each variable, exactly 0 or C at the bounds.
  double rho = 0;             ///< The decision is sum_i y_i alpha_i K(x_i, x) - rho.
  double objective = 0;       ///< f(alpha).
  int64_t iterations = 0;
  int64_t visited = 0;    ///< Active variables summed over the iterations; n each unless shrunk.
  bool converged = true;  ///< false where max_iterations came first.
};

/// Sequential minimal optimisation with second-order working sets, an f64 gradient, and shrinking.
/// C may be infinite. Throws Error if both signs of y are not there, C is not positive or eps not
/// positive and finite, a row is no sample, p or the kernel is not finite, or the start is not
/// feasible.
/// Source: Fan, Chen, Lin, "Working set selection using second order information for training
/// support vector machines", JMLR 6, 2005 (WSS 2); shrinking: Chang, Lin, "LIBSVM", 2011, sec. 5.1.
SmoResult solve_smo(const SmoProblem& problem, const SmoOptions& options = {});

}  // namespace limbic::svm
