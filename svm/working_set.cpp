#include "limbic/svm/working_set.h"

#include <cstring>
#include <limits>

#include "limbic/core/simd.h"

namespace limbic::svm {
namespace {

// Four variables at a time in the compiler's portable vectors.
constexpr int64_t lanes = 4;
using Doubles = double __attribute__((vector_size(8 * lanes)));
using Floats = float __attribute__((vector_size(4 * lanes)));
using Longs = int64_t __attribute__((vector_size(8 * lanes)));
constexpr double infinity = std::numeric_limits<double>::infinity();

template <class V, class T>
[[gnu::always_inline]] inline void read(const T* from, V& to) {
  std::memcpy(&to, from, sizeof to);
}

[[gnu::always_inline]] inline void read(const float* from, Doubles& to) {
  Floats values;
  std::memcpy(&values, from, sizeof values);
  to = __builtin_convertvector(values, Doubles);
}

[[gnu::always_inline]] inline void fill(double value, Doubles& to) {
  for (int64_t l = 0; l < lanes; ++l) to[l] = value;
}

[[gnu::always_inline]] inline void count_up(Longs& to) {
  for (int64_t l = 0; l < lanes; ++l) to[l] = l;
}

// use(t) for blocks of variables from t on that cover all n, the last one ending at n: what it sees
// twice changes no maximum, and costs less than one variable at a time. None where n < lanes.
template <class Use>
[[gnu::always_inline]] inline void for_blocks(int64_t n, const Use& use) {
  if (n < lanes) return;
  for (int64_t t = 0; t + lanes <= n; t += lanes) use(t);
  if (n % lanes != 0) use(n - lanes);
}

}  // namespace

LIMBIC_MULTIVERSION Largest find_largest(const double* u, const double* not_up, int64_t n) {
  Doubles best, values, addend;
  Longs where{}, index;
  fill(-infinity, best);
  count_up(index);
  for_blocks(n, [&](int64_t t) {
    read(u + t, values);
    read(not_up + t, addend);
    values += addend;
    const auto better = values > best;
    best = better ? values : best;
    where = better ? index + t : where;
  });
  Largest out{-infinity, -1};
  for (int64_t l = 0; l < lanes; ++l) {
    const bool better = best[l] > out.value;
    out.value = better ? best[l] : out.value;
    out.index = better ? where[l] : out.index;
  }
  if (n < lanes)
    for (int64_t t = 0; t < n; ++t)
      if (u[t] + not_up[t] > out.value) out = {u[t] + not_up[t], t};
  return out;
}

LIMBIC_MULTIVERSION Second find_second(const SecondChoice& c, int64_t n) {
  Doubles best, violations, u, not_low, diagonal, row, u_i, diagonal_i, tau, none;
  Longs where{}, index;
  fill(-1, best);
  fill(-infinity, violations);
  fill(c.u_i, u_i);
  fill(c.diagonal_i, diagonal_i);
  fill(smallest_curvature, tau);
  fill(-1, none);
  count_up(index);
  for_blocks(n, [&](int64_t t) {
    read(c.u + t, u);
    read(c.not_low + t, not_low);
    read(c.diagonal + t, diagonal);
    read(c.row_i + t, row);
    const Doubles violation = u_i - (u + not_low);
    const Doubles curvature = diagonal_i + diagonal - 2.0 * row;
    const Doubles fall = violation * violation / (curvature > 0.0 ? curvature : tau);
    const Doubles counted = violation > 0.0 ? fall : none;
    const auto better = counted > best;
    best = better ? counted : best;
    where = better ? index + t : where;
    violations = violation > violations ? violation : violations;
  });
  Second out{-1, -infinity};
  double best_fall = -1;
  for (int64_t l = 0; l < lanes; ++l) {
    const bool better = best[l] > best_fall;
    best_fall = better ? best[l] : best_fall;
    out.index = better ? where[l] : out.index;
    out.violation = violations[l] > out.violation ? violations[l] : out.violation;
  }
  if (n < lanes)
    for (int64_t t = 0; t < n; ++t) {
      const double violation = c.u_i - (c.u[t] + c.not_low[t]);
      if (violation > out.violation) out.violation = violation;
      if (!(violation > 0)) continue;
      const double curvature = c.diagonal_i + c.diagonal[t] - 2.0 * double{c.row_i[t]};
      const double fall = violation * violation / (curvature > 0 ? curvature : smallest_curvature);
      if (fall > best_fall) best_fall = fall, out.index = t;
    }
  return out;
}

LIMBIC_MULTIVERSION void subtract_rows(const RowTerm& a, const RowTerm& b, double* u, int64_t n) {
  const double factor_a = a.factor, factor_b = b.factor;
  const float *row_a = a.row, *row_b = b.row;
  for_columns(
      n, [&](int64_t t) { u[t] -= factor_a * double{row_a[t]} + factor_b * double{row_b[t]}; });
}

LIMBIC_MULTIVERSION void gather(const float* values, const int32_t* index, float* out, int64_t n) {
  for_columns(n, [&](int64_t t) { out[t] = values[index[t]]; });
}

}  // namespace limbic::svm
