#pragma once
#include <optional>

#include "limbic/emotion/features.h"
#include "limbic/svm/scaler.h"

namespace limbic::emotion {

/// How the blocks of the fused vector are weighted (paper.txt, sections 2.1 and 2.2).
///   alpha: alpha X1 (+) (1 - alpha) X2 (+) S      the differential convex combination
///   beta:  (1 - beta) (X1 (+) X2) (+) beta S      the supplementary amplification
///   both:  (1 - beta) (alpha X1 (+) (1 - alpha) X2) (+) beta S
/// (+) is concatenation. Both is ours, for grids; with beta = 0 it is the paper's equation 1 as
/// printed, without S. A block of features that is no CNN's has the weight 1.
struct Fusion {
  std::optional<double> alpha = 0.5, beta;

  static Fusion with_alpha(double a) { return {a, std::nullopt}; }
  static Fusion with_beta(double b) { return {std::nullopt, b}; }
  static Fusion with_both(double a, double b) { return {a, b}; }
};

/// Throws Error unless one of alpha and beta is set at least, and what is set lies in [0, 1].
void check(const Fusion& fusion);

/// The weight of each branch's block.
std::vector<double> block_weights(const Fusion& fusion, const std::vector<std::string>& roles);

/// Blocks side by side, unweighted: (N, D1 + D2 + ...). Throws Error without blocks, and for
/// unequal rows or other shapes.
Tensor join_blocks(const std::vector<Tensor>& blocks);
std::vector<svm::FeatureBlock> feature_blocks(const std::vector<std::string>& roles,
                                              const std::vector<Tensor>& blocks);

}  // namespace limbic::emotion
