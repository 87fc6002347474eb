#pragma once
#include "docs/course/check.h"

namespace limbic::course {

/// Exercise 1. K(i,j) = exp(-gamma |a_i - b_j|^2). a (N,D), b (M,D) -> (N,M).
Array rbf_kernel(const Array& a, const Array& b, double gamma);

/// Two variables of the dual problem. y is +1 or -1; 0 <= alpha <= C; u is y minus the sum over all
/// samples s of y_s alpha_s K(s, this one).
struct Variable {
  double y, alpha, u;
};
struct Pair {
  Variable i, j;
  double K_ii, K_jj, K_ij, C;
};

/// Exercise 2. The t >= 0 by which y_i alpha_i grows and y_j alpha_j falls: the one that is best
/// for the dual problem, (u_i - u_j) / (K_ii + K_jj - 2 K_ij), or as far as both alphas stay within
/// 0 and C. u_i > u_j.
double step_length(const Pair& pair);

/// Exercise 3. The bias of the solution: the mean of u over the free samples, 0 < alpha < C; where
/// there are none, the middle between the largest u of those whose y alpha may grow and the
/// smallest u of those whose y alpha may fall. (y alpha grows where alpha does, if y is +1, and
/// where alpha falls, if y is -1; alpha stays from 0 to C.)
double bias(const std::vector<Variable>& variables, double C);

}  // namespace limbic::course
