#include "limbic/weights/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "limbic/weights/load.h"

namespace limbic::weights {
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

// ||x|| without overflow or underflow of the squares (LAPACK's dlassq).
class Norm {
 public:
  void add(double x) {
    x = std::abs(x);
    if (x == 0) return;
    if (x > scale_) {
      sum_ = 1 + sum_ * (scale_ / x) * (scale_ / x);
      scale_ = x;
    } else {
      sum_ += (x / scale_) * (x / scale_);
    }
  }
  /// ||a|| / ||b||; infinite where only b is 0.
  friend double ratio(const Norm& a, const Norm& b) {
    if (a.scale_ == 0) return 0;
    return a.scale_ / b.scale_ * std::sqrt(a.sum_ / std::max(b.sum_, 1.0));
  }

 private:
  double scale_ = 0, sum_ = 0;  // ||x||^2 = scale^2 sum
};

void measure(const Tensor& ours, const Tensor& reference, TensorDifference& out) {
  const Elements a(ours), b(reference);
  const auto n = static_cast<double>(ours.size());
  Norm differences, norm;
  for (int64_t i = 0; i < ours.size(); ++i) {
    const double x = a[i], y = b[i];
    if (std::isfinite(y)) norm.add(y);
    if (x == y) continue;  // infinities, too, are equal to themselves; NaN is not
    const double apart = std::abs(x - y);
    const double difference =
        std::isfinite(apart) ? apart : std::numeric_limits<double>::infinity();
    out.max = std::max(out.max, difference);
    out.mean += difference / n;
    differences.add(difference);
  }
  out.relative = std::isinf(out.max) ? out.max : ratio(differences, norm);
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
    if (!out.first_apart && !(out.differences.back().relative <= tolerance))
      out.first_apart = out.differences.size() - 1;
  }
  return out;
}

}  // namespace limbic::weights
