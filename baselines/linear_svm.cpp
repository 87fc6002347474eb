#include "limbic/baselines/linear_svm.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "limbic/core/finite.h"
#include "limbic/core/parallel.h"
#include "limbic/core/random.h"
#include "limbic/core/simd.h"
#include "limbic/network/predictor.h"
#include "limbic/svm/gemm.h"

namespace limbic::baselines {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

LIMBIC_MULTIVERSION double dot(const double* w, const float* x, int64_t d) {
  double part[16] = {};
  int64_t j = 0;
  for (; j + 16 <= d; j += 16)
    for (int64_t i = 0; i < 16; ++i) part[i] += w[j + i] * double{x[j + i]};
  double sum = 0;
  for (; j < d; ++j) sum += w[j] * double{x[j]};
  for (const double p : part) sum += p;
  return sum;
}

LIMBIC_MULTIVERSION void add_scaled(double* w, const float* x, double factor, int64_t d) {
  for (int64_t j = 0; j < d; ++j) w[j] += factor * double{x[j]};
}

// The paper's names: G, PG, U, M, m.
class DualCoordinateDescent {
 public:
  DualCoordinateDescent(const BinaryRows& data, const LinearSvmOptions& options,
                        std::vector<double>& alpha)
      : data_(data), o_(options), d_(data.x.dim(1)), alpha_(alpha) {
    const size_t m = data.rows.size();
    out_.w.assign(static_cast<size_t>(d_) + 1, 0);
    for (size_t i = 0; i < m; ++i) {
      const double squares = square(row(i)) + o_.bias * o_.bias;
      const double C = o_.C * (data.y[i] > 0 ? o_.positive_weight : 1);
      const bool hinge = o_.loss == SvmLoss::hinge;
      upper_.push_back(hinge ? C : infinity);
      diagonal_.push_back(hinge ? 0 : 0.5 / C);
      q_.push_back(squares + diagonal_.back());
      alpha_[i] = std::clamp(alpha_[i], 0.0, upper_.back());
      if (alpha_[i] != 0) move(i, alpha_[i]);
    }
  }

  LinearSvm run() {
    std::vector<size_t> active(data_.rows.size());
    std::iota(active.begin(), active.end(), size_t{0});
    double highest = infinity, lowest = -infinity;  // of PG in the pass before: M and m
    const bool empty = active.empty();
    Random random(o_.seed, hash_name("coordinate descent"));
    while (!empty && !out_.converged && out_.passes < o_.max_passes) {
      ++out_.passes;
      random.shuffle(active);
      const auto [high, low] = pass(active, highest, lowest);
      if (high - low <= o_.eps) {
        if (active.size() == data_.rows.size()) {
          out_.converged = true;
        } else {  // all come back, to make sure
          active.resize(data_.rows.size());
          std::iota(active.begin(), active.end(), size_t{0});
          highest = infinity;
          lowest = -infinity;
        }
        continue;
      }
      highest = high > 0 ? high : infinity;
      lowest = low < 0 ? low : -infinity;
    }
    double squares = 0;
    for (const double w : out_.w) squares += w * w;
    out_.objective = 0.5 * squares;
    for (size_t i = 0; i < alpha_.size(); ++i)
      out_.objective += alpha_[i] * (0.5 * alpha_[i] * diagonal_[i] - 1);
    out_.w.back() *= o_.bias;
    return std::move(out_);
  }

 private:
  const float* row(size_t i) const { return data_.x.data() + data_.rows[i] * d_; }

  double square(const float* x) const {
    double sum = 0;
    for (int64_t j = 0; j < d_; ++j) sum += double{x[j]} * double{x[j]};
    return sum;
  }

  // w for alpha(i) larger by `step`.
  void move(size_t i, double step) {
    const double factor = step * data_.y[i];
    add_scaled(out_.w.data(), row(i), factor, d_);
    out_.w.back() += factor * o_.bias;
  }

  // One pass over the active rows; those that are stuck at a bound become inactive.
  std::pair<double, double> pass(std::vector<size_t>& active, double highest, double lowest) {
    double high = -infinity, low = infinity;
    size_t kept = 0;
    for (const size_t i : active) {
      double& a = alpha_[i];
      const double f = dot(out_.w.data(), row(i), d_) + out_.w.back() * o_.bias;
      const double G = data_.y[i] * f - 1 + diagonal_[i] * a;
      double PG = G;
      if (a <= 0) {
        if (G > highest) continue;
        PG = std::min(G, 0.0);
      } else if (a >= upper_[i]) {
        if (G < lowest) continue;
        PG = std::max(G, 0.0);
      }
      active[kept++] = i;
      high = std::max(high, PG);
      low = std::min(low, PG);
      if (std::abs(PG) < 1e-12 || q_[i] <= 0) continue;
      const double before = a;
      a = std::clamp(a - G / q_[i], 0.0, upper_[i]);
      move(i, a - before);
    }
    active.resize(kept);
    if (kept == 0) high = low = 0;
    return {high, low};
  }

  const BinaryRows& data_;
  const LinearSvmOptions& o_;
  int64_t d_;
  std::vector<double>& alpha_;
  std::vector<double> upper_, diagonal_, q_;
  LinearSvm out_;
};

}  // namespace

double LinearSvm::decision(const float* row) const {
  return dot(w.data(), row, std::ssize(w) - 1) + w.back();
}

LinearSvm train_linear_svm(const BinaryRows& data, const LinearSvmOptions& o,
                           std::vector<double>* alpha) {
  require(o.C > 0 && std::isfinite(o.C) && o.eps > 0 && o.positive_weight > 0,
          "linear SVM: C, eps and weight must be positive, got ", o.C, ", ", o.eps, " and ",
          o.positive_weight);
  require(data.x.rank() == 2 && data.rows.size() == data.y.size() &&
              (!alpha || alpha->size() == data.rows.size()),
          "linear SVM: expected rows and a sign for each, got ", data.rows.size(), " and ",
          data.y.size());
  std::vector<double> own(data.rows.size());
  return DualCoordinateDescent(data, o, alpha ? *alpha : own).run();
}

Tensor LinearClassifier::decisions(const Tensor& x) const {
  const int64_t classes = weight.dim(0), d = weight.dim(1);
  require(x.rank() == 2 && x.dim(1) == d, "linear SVM: expected rows of ", d, " features, got ",
          to_string(x.shape()));
  Tensor out({x.dim(0), classes});
  if (out.empty()) return out;
  svm::gemm({x.data(), x.dim(0), d, d}, svm::Matrix<const float>{weight.data(), classes, d, d}.t(),
            {out.data(), x.dim(0), classes, classes});
  for (int64_t i = 0; i < out.size(); ++i) out.data()[i] += bias.data()[i % classes];
  return out;
}

std::vector<int64_t> LinearClassifier::predict(const Tensor& x) const {
  const Tensor scores = decisions(x);
  std::vector<int64_t> out;
  for (int64_t i = 0; i < x.dim(0); ++i)
    out.push_back(network::argmax(scores.rows(i, i + 1).values()));
  return out;
}

LinearClassifier train_one_vs_rest(const Tensor& x, std::span<const int64_t> labels,
                                   int64_t classes, const LinearSvmOptions& options) {
  require(x.rank() == 2 && x.dim(0) == std::ssize(labels) && x.dim(0) > 0,
          "linear SVM: expected a label for each row, got ", to_string(x.shape()), " and ",
          labels.size());
  require(all_finite(x), "linear SVM: a feature is NaN or infinite");
  const int64_t d = x.dim(1);
  LinearClassifier out{Tensor({classes, d}), Tensor({classes}), true};
  std::vector<int64_t> rows(labels.size());
  std::iota(rows.begin(), rows.end(), int64_t{0});
  std::vector<int8_t> converged(static_cast<size_t>(classes), 1);
  parallel_for_dynamic(classes, [&](int64_t c) {
    std::vector<int8_t> y;
    for (const int64_t label : labels) y.push_back(label == c ? 1 : -1);
    if (std::count(y.begin(), y.end(), 1) == 0) {
      out.bias.data()[c] = std::numeric_limits<float>::lowest();
      return;
    }
    LinearSvmOptions o = options;
    o.seed = combine(options.seed, static_cast<uint64_t>(c));
    const LinearSvm one = train_linear_svm({x, rows, y}, o);
    for (int64_t j = 0; j < d; ++j)
      out.weight.data()[c * d + j] = static_cast<float>(one.w[static_cast<size_t>(j)]);
    out.bias.data()[c] = static_cast<float>(one.w.back());
    converged[static_cast<size_t>(c)] = one.converged;
  });
  out.converged = std::count(converged.begin(), converged.end(), 0) == 0;
  return out;
}

}  // namespace limbic::baselines
