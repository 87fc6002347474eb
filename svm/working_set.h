#pragma once
#include <cstdint>

namespace limbic::svm {

/// The inner loops of sequential minimal optimisation, over the n active variables. Membership in
/// I_up and I_low is an addend that takes the others out: 0 for members, -inf (of I_up) or +inf (of
/// I_low) for all else.

struct Largest {
  double value;
  int64_t index;  ///< -1 where every value is -inf.
};

/// max over t of u[t] + not_up[t].
Largest find_largest(const double* u, const double* not_up, int64_t n);

/// What the second variable is chosen from, once the first, i, is known.
struct SecondChoice {
  const double *u, *not_low, *diagonal;
  const float* row_i;  ///< K(i, t)
  double u_i, diagonal_i;
};

struct Second {
  int64_t index;     ///< Of the largest fall of f, (u_i - u_t)^2 / curvature; -1: none falls.
  double violation;  ///< max over I_low of u_i - u_t; below eps: optimal.
};

/// Source: Fan, Chen, Lin, JMLR 6, 2005, WSS 2.
Second find_second(const SecondChoice& choice, int64_t n);

/// u[t] -= a row_a[t] + b row_b[t].
struct RowTerm {
  double factor;
  const float* row;
};
void subtract_rows(const RowTerm& a, const RowTerm& b, double* u, int64_t n);

/// out[t] = values[index[t]].
void gather(const float* values, const int32_t* index, float* out, int64_t n);

constexpr double smallest_curvature = 1e-12;  ///< Stands for one that is not positive.

}  // namespace limbic::svm
