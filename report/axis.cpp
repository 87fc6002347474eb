#include <algorithm>
#include <cmath>

#include "limbic/report/charts.h"

namespace limbic::report {
namespace {

constexpr double limit = 1e100;  // beyond it the arithmetic of the axes could overflow

// Round steps: 1, 2 or 5 times a power of ten.
double round_step(double rough) {
  const double ten = std::pow(10, std::floor(std::log10(rough))), lead = rough / ten;
  return (lead <= 1.01 ? 1 : lead <= 2.01 ? 2 : lead <= 5.01 ? 5 : 10) * ten;
}

int digits_of(double step) {
  return std::clamp(static_cast<int>(-std::floor(std::log10(step) + 1e-9)), 0, 12);
}

// The finite ones in order, each once.
std::vector<double> distinct(const std::vector<double>& values) {
  std::vector<double> out;
  for (const double v : values)
    if (std::abs(v) <= limit) out.push_back(v);
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// Few enough for a tick each, none near another, written in few digits.
bool are_ticks(const std::vector<double>& v) {
  if (v.size() < 2 || v.size() > 7) return false;
  for (size_t i = 0; i < v.size(); ++i) {
    if (i > 0 && (v[i] - v[i - 1] < 9e-4 || (v[i] - v[i - 1]) * 9 < v.back() - v[0])) return false;
    const double thousandths = v[i] * 1000;
    if (std::abs(v[i]) >= 1e4 || std::abs(thousandths - std::round(thousandths)) > 1e-9)
      return false;
  }
  return true;
}

}  // namespace

Axis axis_of(const std::vector<double>& values) {
  const std::vector<double> v = distinct(values);
  double low = v.empty() ? 0 : v.front(), high = v.empty() ? 1 : v.back();
  if (high - low < 1e-9 * std::max({std::abs(low), std::abs(high), 1e-3})) {
    const double room = low == 0 ? 1 : std::abs(low) / 2;
    low -= room, high += room;
  }
  const double step = round_step(high / 5 - low / 5);
  Axis axis{std::floor(low / step + 1e-9) * step,
            std::ceil(high / step - 1e-9) * step,
            {},
            digits_of(step)};
  const auto last = std::lround((axis.high - axis.low) / step);
  for (long i = 0; i <= last; ++i) axis.ticks.push_back(axis.low + static_cast<double>(i) * step);
  return axis;
}

Axis axis_over(const std::vector<double>& values) {
  const std::vector<double> v = distinct(values);
  if (are_ticks(v)) return {v.front(), v.back(), v, 3};
  const bool whole = !v.empty() && std::abs(v.front()) < 1e9 && std::abs(v.back()) < 1e9 &&
                     std::ranges::all_of(v, [](double x) { return x == std::floor(x); });
  if (!whole) return axis_of(values);
  Axis axis{v.front(), v.back(), {}, 0};
  if (v.size() == 1) axis.low -= 1, axis.high += 1;
  const double step = std::max(1.0, round_step((axis.high - axis.low) / 6));
  for (double x = std::ceil(axis.low / step) * step; x <= axis.high; x += step)
    axis.ticks.push_back(x);
  return axis;
}

}  // namespace limbic::report
