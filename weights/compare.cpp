#include "weights/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "weights/load.h"

namespace limbic {
namespace {

bool is_floating(DType dtype) {
  return dtype == DType::f64 || dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16;
}

// Elements as doubles, whatever floating type holds them.
class Elements {
 public:
  explicit Elements(const Tensor& tensor)
      : tensor_(tensor.dtype() == DType::f64 || tensor.dtype() == DType::f32 ? tensor
                                                                             : to_f32(tensor)),
        wide_(tensor_.dtype() == DType::f64 ? tensor_.data<double>() : nullptr),
        narrow_(wide_ ? nullptr : tensor_.data()) {}
  double operator[](int64_t i) const { return wide_ ? wide_[i] : double{narrow_[i]}; }

 private:
  Tensor tensor_;
  const double* wide_;
  const float* narrow_;
};

void measure(const Tensor& ours, const Tensor& reference, TensorDifference& out) {
  const Elements a(ours), b(reference);
  double squares = 0, norm = 0, sum = 0;
  for (int64_t i = 0; i < ours.size(); ++i) {
    const double x = a[i], y = b[i];
    if (x == y || (std::isnan(x) && std::isnan(y))) {  // infinities, too, are equal to themselves
      norm += std::isfinite(y) ? y * y : 0;
      continue;
    }
    const double difference = std::isfinite(x) && std::isfinite(y)
                                  ? std::abs(x - y)
                                  : std::numeric_limits<double>::infinity();
    out.max = std::max(out.max, difference);
    sum += difference;
    squares += difference * difference;
    norm += std::isfinite(y) ? y * y : 0;
  }
  out.mean = ours.size() > 0 ? sum / static_cast<double>(ours.size()) : 0;
  out.relative = squares > 0 ? std::sqrt(squares) / std::sqrt(norm) : 0;
}

TensorDifference difference(const std::string& name, const std::map<std::string, Tensor>& ours,
                            const std::map<std::string, Tensor>& reference) {
  TensorDifference out{.name = name};
  const auto a = ours.find(name), b = reference.find(name);
  if (a == ours.end() || b == reference.end()) {
    out.reason = a == ours.end() ? "missing" : "missing in the reference";
  } else if (a->second.shape() != b->second.shape()) {
    out.reason = to_string(a->second.shape()) + " and " + to_string(b->second.shape());
  } else if (!is_floating(a->second.dtype()) || !is_floating(b->second.dtype())) {
    out.reason = to_string(a->second.dtype()) + " and " + to_string(b->second.dtype());
  } else {
    measure(a->second, b->second, out);
    return out;
  }
  out.max = out.mean = out.relative = std::numeric_limits<double>::infinity();
  return out;
}

}  // namespace

Comparison compare_tensors(const std::vector<std::string>& names,
                           const std::map<std::string, Tensor>& ours,
                           const std::map<std::string, Tensor>& reference, double tolerance) {
  Comparison out;
  for (const std::string& name : names) {
    out.differences.push_back(difference(name, ours, reference));
    if (!out.first_apart && out.differences.back().relative > tolerance)
      out.first_apart = out.differences.size() - 1;
  }
  return out;
}

}  // namespace limbic
