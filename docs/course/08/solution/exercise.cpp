#include "../exercise.h"

#include <algorithm>
#include <cmath>

namespace limbic::course {

Array rbf_kernel(const Array& a, const Array& b, double gamma) {
  Array kernel({a.shape[0], b.shape[0]});
  for (int64_t i = 0; i < a.shape[0]; ++i)
    for (int64_t j = 0; j < b.shape[0]; ++j) {
      double distance = 0;
      for (int64_t d = 0; d < a.shape[1]; ++d)
        distance += (a.at(i, d) - b.at(j, d)) * (a.at(i, d) - b.at(j, d));
      kernel.at(i, j) = std::exp(-gamma * distance);
    }
  return kernel;
}

double step_length(const Pair& pair) {
  const double wanted = (pair.i.u - pair.j.u) / (pair.K_ii + pair.K_jj - 2 * pair.K_ij);
  const double room_i = pair.i.y > 0 ? pair.C - pair.i.alpha : pair.i.alpha;
  const double room_j = pair.j.y > 0 ? pair.j.alpha : pair.C - pair.j.alpha;
  return std::min({wanted, room_i, room_j});
}

double bias(const std::vector<Variable>& variables, double C) {
  double sum = 0, up = -HUGE_VAL, low = HUGE_VAL;
  int free = 0;
  for (const Variable& v : variables) {
    if (v.alpha > 0 && v.alpha < C) sum += v.u, ++free;
    if (v.y > 0 ? v.alpha < C : v.alpha > 0) up = std::max(up, v.u);
    if (v.y > 0 ? v.alpha > 0 : v.alpha < C) low = std::min(low, v.u);
  }
  return free > 0 ? sum / free : (up + low) / 2;
}

}  // namespace limbic::course
