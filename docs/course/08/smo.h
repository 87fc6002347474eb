#pragma once
// A support vector machine by sequential minimal optimisation, as plainly as it can be written.
// svm/smo.cpp is the fast one.
#include "exercise.h"

namespace limbic::course {

struct Svm {
  std::vector<Variable> variables;  ///< One for each sample.
  double bias = 0;
  int iterations = 0;
};

/// Whether y alpha may grow, and whether it may fall.
inline bool in_up(const Variable& v, double C) { return v.y > 0 ? v.alpha < C : v.alpha > 0; }
inline bool in_low(const Variable& v, double C) { return v.y > 0 ? v.alpha > 0 : v.alpha < C; }

/// y_t alpha_t += amount, landing on 0 or C exactly where only rounding is between.
inline void move(Variable& v, double amount, double C) {
  v.alpha += v.y * amount;
  if (v.alpha < 1e-12 * C) v.alpha = 0;
  if (v.alpha > C - 1e-12 * C) v.alpha = C;
}

/// Minimises 1/2 sum_st y_s y_t alpha_s alpha_t K_st - sum_t alpha_t, where sum_t y_t alpha_t = 0
/// and 0 <= alpha <= C. kernel (N,N); labels +1 or -1, both there. Stops where no pair of u
/// contradicts the optimum by more than eps.
inline Svm solve(const Array& kernel, const std::vector<double>& labels, double C,
                 double eps = 1e-3) {
  Svm svm;
  for (const double y : labels) svm.variables.push_back({.y = y, .alpha = 0, .u = y});
  std::vector<Variable>& v = svm.variables;
  const size_t n = v.size();
  while (true) {
    size_t i = n, j = n;  // the largest u that may grow, the smallest that may fall
    for (size_t t = 0; t < n; ++t) {
      if (in_up(v[t], C) && (i == n || v[t].u > v[i].u)) i = t;
      if (in_low(v[t], C) && (j == n || v[t].u < v[j].u)) j = t;
    }
    if (v[i].u - v[j].u < eps) break;
    const auto a = static_cast<int64_t>(i), b = static_cast<int64_t>(j);
    const double t =
        step_length({v[i], v[j], kernel.at(a, a), kernel.at(b, b), kernel.at(a, b), C});
    move(v[i], t, C);
    move(v[j], -t, C);
    for (size_t s = 0; s < n; ++s)
      v[s].u -= t * (kernel.at(a, static_cast<int64_t>(s)) - kernel.at(b, static_cast<int64_t>(s)));
    ++svm.iterations;
  }
  svm.bias = bias(v, C);
  return svm;
}

/// sum_t y_t alpha_t K(t, x) + bias for sample x of the kernel's columns: kernel (N,M), x < M.
inline double decision(const Svm& svm, const Array& kernel, int64_t x) {
  double sum = svm.bias;
  for (size_t t = 0; t < svm.variables.size(); ++t)
    sum += svm.variables[t].y * svm.variables[t].alpha * kernel.at(static_cast<int64_t>(t), x);
  return sum;
}

inline int support_vectors(const Svm& svm) {
  int n = 0;
  for (const Variable& v : svm.variables) n += v.alpha > 0;
  return n;
}

}  // namespace limbic::course
