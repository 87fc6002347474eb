#pragma once
#include <span>
#include <vector>

#include "limbic/svm/training_kernel.h"

namespace limbic::svm {

/// P(positive | decision) = 1 / (1 + exp(a decision + b)).
struct Sigmoid {
  double a = 0, b = 0;
};

/// The sigmoid of greatest likelihood, with targets drawn in from 0 and 1 as Platt proposed.
/// Source: Lin, Lin, Weng, "A note on Platt's probabilistic outputs for support vector machines",
/// Machine Learning 68, 2007, with its Newton method and line search.
Sigmoid fit_sigmoid(std::span<const double> decisions, std::span<const int8_t> y);

/// Probabilities of k classes from pairs: r[pair] = P(i | i or j), in for_each_pair's order, kept
/// 1e-7 from 0 and 1 as LIBSVM does. Throws Error for other numbers of pairs or values.
/// Source: Wu, Lin, Weng, "Probability estimates for multi-class classification by pairwise
/// coupling", JMLR 5, 2004, second method.
std::vector<double> couple_pairs(int64_t k, std::span<const double> r);

/// Fits prob_a and prob_b of the model to the decisions of five folds of each pair.
void fit_pairwise_sigmoids(const TrainingKernel& kernel, const ClassRows& classes,
                           const SvcOptions& options, SvcModel& model);

}  // namespace limbic::svm
