#include "limbic/emotion/softmax_classifier.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "limbic/nn/ops/softmax.h"
#include "limbic/svm/distances.h"
#include "limbic/svm/gemm.h"
#include "limbic/svm/products.h"

namespace limbic::emotion {
namespace {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// to += factor * x
void add(double factor, const Vector& x, Vector& to) {
  for (size_t i = 0; i < to.size(); ++i) to[i] += factor * x[i];
}

// The penalised loss as a function of w = (W row by row, bias of centred features). Features count
// from their means, without a copy: a bias that costs nothing makes that the same problem, and a
// better conditioned one. Products are f32, sums over rows of the loss and all vectors f64.
class SoftmaxLoss {
 public:
  SoftmaxLoss(const Tensor& x, const std::vector<int64_t>& labels, int64_t classes, double decay)
      : x_(x),
        labels_(labels),
        n_(x.dim(0)),
        d_(x.dim(1)),
        classes_(classes),
        decay_(decay),
        mean_(svm::column_means(x)),
        weights_(Tensor::uninitialised({classes, d_})),
        rows_(Tensor::uninitialised({n_, classes})),
        p_(static_cast<size_t>(n_ * classes)) {}

  size_t size() const { return static_cast<size_t>(classes_ * (d_ + 1)); }

  /// The loss at w; gradient() and curvature() are about the last w asked for.
  double value(const Vector& w) {
    products(w, rows_);
    double sum = 0, penalty = 0;
    for (int64_t i = 0; i < n_; ++i) {
      const float* z = rows_.data() + i * classes_;
      double* p = p_.data() + i * classes_;
      const double largest = double{*std::max_element(z, z + classes_)};
      double total = 0;
      for (int64_t c = 0; c < classes_; ++c) total += p[c] = std::exp(double{z[c]} - largest);
      for (int64_t c = 0; c < classes_; ++c) p[c] /= total;
      sum += std::log(total) - (double{z[labels_[static_cast<size_t>(i)]]} - largest);
    }
    for (int64_t j = 0; j < classes_ * d_; ++j) {
      const double weight = w[static_cast<size_t>(j)];
      penalty += weight * weight;
    }
    return sum / static_cast<double>(n_) + decay_ / 2 * penalty;
  }

  Vector gradient(const Vector& w) {
    for (int64_t i = 0; i < n_; ++i)
      for (int64_t c = 0; c < classes_; ++c)
        rows_.data()[i * classes_ + c] =
            static_cast<float>(p_[static_cast<size_t>(i * classes_ + c)] -
                               (c == labels_[static_cast<size_t>(i)] ? 1.0 : 0.0));
    return gather(w);
  }

  /// The Hessian times v.
  Vector curvature(const Vector& v) {
    products(v, rows_);
    for (int64_t i = 0; i < n_; ++i) {
      float* u = rows_.data() + i * classes_;
      const double* p = p_.data() + i * classes_;
      double mean = 0;
      for (int64_t c = 0; c < classes_; ++c) mean += p[c] * double{u[c]};
      for (int64_t c = 0; c < classes_; ++c)
        u[c] = static_cast<float>(p[c] * (double{u[c]} - mean));
    }
    return gather(v);
  }

  /// The Hessian's diagonal at w = 0, or near it: what the steps are measured by.
  Vector scale() const {
    const Vector variance = svm::column_variances(x_, mean_);
    const auto k = static_cast<double>(classes_);
    const double of_logit = (k - 1) / (k * k);
    Vector out(size(), of_logit);
    for (int64_t c = 0; c < classes_; ++c)
      for (int64_t j = 0; j < d_; ++j)
        out[static_cast<size_t>(c * d_ + j)] = decay_ + of_logit * variance[static_cast<size_t>(j)];
    return out;
  }

  SoftmaxClassifier classifier(const Vector& w) const {
    SoftmaxClassifier out{Tensor({classes_, d_}), Tensor({classes_})};
    for (int64_t i = 0; i < classes_ * d_; ++i)
      out.weight.data()[i] = static_cast<float>(w[static_cast<size_t>(i)]);
    for (int64_t c = 0; c < classes_; ++c) out.bias.data()[c] = static_cast<float>(offset(w, c));
    return out;
  }

 private:
  // The bias of class c for features that count from 0.
  double offset(const Vector& w, int64_t c) const {
    double sum = w[static_cast<size_t>(classes_ * d_ + c)];
    for (int64_t j = 0; j < d_; ++j)
      sum -= w[static_cast<size_t>(c * d_ + j)] * mean_[static_cast<size_t>(j)];
    return sum;
  }

  // out (n,classes) = (x - mean) V' + bias
  void products(const Vector& v, const Tensor& out) {
    for (int64_t i = 0; i < classes_ * d_; ++i)
      weights_.data()[i] = static_cast<float>(v[static_cast<size_t>(i)]);
    for (int64_t c = 0; c < classes_; ++c) {
      const auto bias = static_cast<float>(offset(v, c));
      for (int64_t i = 0; i < n_; ++i) out.data()[i * classes_ + c] = bias;
    }
    svm::gemm({x_.data(), n_, d_, d_},
              svm::Matrix<const float>{weights_.data(), classes_, d_, d_}.t(),
              {out.data(), n_, classes_, classes_}, true);
  }

  // rows_' (x - mean, 1) / n + decay (V, 0)
  Vector gather(const Vector& v) {
    svm::gemm(svm::Matrix<const float>{rows_.data(), n_, classes_, classes_}.t(),
              {x_.data(), n_, d_, d_}, {weights_.data(), classes_, d_, d_});
    Vector out(size());
    const auto n = static_cast<double>(n_);
    for (int64_t c = 0; c < classes_; ++c) {
      double sum = 0;
      for (int64_t i = 0; i < n_; ++i) sum += double{rows_.data()[i * classes_ + c]};
      out[static_cast<size_t>(classes_ * d_ + c)] = sum / n;
      for (int64_t j = 0; j < d_; ++j) {
        const auto at = static_cast<size_t>(c * d_ + j);
        out[at] = (double{weights_.data()[c * d_ + j]} - sum * mean_[static_cast<size_t>(j)]) / n +
                  decay_ * v[at];
      }
    }
    return out;
  }

  const Tensor& x_;
  const std::vector<int64_t>& labels_;
  int64_t n_, d_, classes_;
  double decay_;
  Vector mean_;
  Tensor weights_, rows_;  // of products
  Vector p_;               // (n,classes), at the last w
};

// A step that lowers the quadratic model of the loss, and by how much.
struct Step {
  Vector s;
  double promised;
  bool at_border;
};

// Conjugate gradients on H s = -g until a tenth of the residual is left or the step, measured by
// `scale`, is as long as `radius`.
Step conjugate_gradients(SoftmaxLoss& loss, const Vector& g, const Vector& scale, double radius) {
  const auto divided = [&](const Vector& r) {
    Vector out(r.size());
    for (size_t i = 0; i < r.size(); ++i) out[i] = r[i] / scale[i];
    return out;
  };
  const auto measured = [&](const Vector& a, const Vector& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += a[i] * scale[i] * b[i];
    return sum;
  };
  Vector s(g.size(), 0.0), r(g.size());
  for (size_t i = 0; i < g.size(); ++i) r[i] = -g[i];
  Vector z = divided(r), direction = z;
  double rz = dot(r, z);
  const double enough = 0.01 * rz;
  bool at_border = false;
  for (int round = 0; round < 500 && rz > enough && !at_border; ++round) {
    const Vector h = loss.curvature(direction);
    const double bend = dot(direction, h);
    if (!(bend > 0)) break;  // by rounding alone: the loss is convex
    double length = rz / bend;
    const double ss = measured(s, s), sd = measured(s, direction),
                 dd = measured(direction, direction);
    if (!(ss + 2 * length * sd + length * length * dd < radius * radius)) {
      length = (std::sqrt(sd * sd + dd * (radius * radius - ss)) - sd) / dd;
      at_border = true;
    }
    add(length, direction, s);
    add(-length, h, r);
    z = divided(r);
    const double before = rz;
    rz = dot(r, z);
    for (size_t i = 0; i < z.size(); ++i) direction[i] = z[i] + rz / before * direction[i];
  }
  // The model's fall, -g's - s'Hs/2, where Hs = -g - r.
  return {s, (dot(s, r) - dot(s, g)) / 2, at_border};
}

void check(const Tensor& x, const std::vector<int64_t>& labels, int64_t classes,
           const SoftmaxClassifierOptions& o) {
  svm::check_features(x);
  require(classes >= 2, "softmax classifier: expected two classes at least, got ", classes);
  require(x.dim(0) > 0 && x.dim(0) == std::ssize(labels), "softmax classifier: ", x.dim(0),
          " rows but ", labels.size(), " labels");
  for (int64_t label : labels)
    require(label >= 0 && label < classes, "softmax classifier: expected labels from 0 to ",
            classes - 1, ", got ", label);
  require(o.weight_decay > 0 && std::isfinite(o.weight_decay) && o.max_steps >= 0,
          "softmax classifier: expected a weight decay > 0 and finite, got ", o.weight_decay,
          ", and steps from 0, got ", o.max_steps);
}

}  // namespace

Tensor SoftmaxClassifier::probabilities(const Tensor& x) const {
  const int64_t n = x.dim(0), d = x.dim(1), classes = bias.size();
  require(weight.dim(1) == d, "softmax classifier: expected ", weight.dim(1), " features, got ", d);
  Tensor out({n, classes});
  for (int64_t i = 0; i < n; ++i) std::copy_n(bias.data(), classes, out.data() + i * classes);
  svm::gemm({x.data(), n, d, d}, svm::Matrix<const float>{weight.data(), classes, d, d}.t(),
            {out.data(), n, classes, classes}, true);
  softmax_rows(out.values(), out.dim(1), out.values());
  return out;
}

SoftmaxClassifier train_softmax_classifier(const Tensor& x, const std::vector<int64_t>& labels,
                                           int64_t classes, const SoftmaxClassifierOptions& o) {
  check(x, labels, classes, o);
  SoftmaxLoss loss(x, labels, classes, o.weight_decay);
  const Vector scale = loss.scale();
  Vector w(loss.size(), 0.0);
  double value = loss.value(w), radius = std::numeric_limits<double>::infinity();
  Vector g = loss.gradient(w);
  // The loss less its curvature of weight_decay is convex, so |g|^2 / (2 weight_decay) bounds what
  // is left to gain.
  const auto done = [&] { return dot(g, g) / (2 * o.weight_decay) <= 1e-4; };
  for (int64_t steps = 0; steps < o.max_steps && !done(); ++steps) {
    const Step step = conjugate_gradients(loss, g, scale, radius);
    if (step.promised <= 1e-9 * value) break;  // less than f32 products can tell
    Vector moved = w;
    add(1, step.s, moved);
    const double before = value, after = loss.value(moved), kept = (before - after) / step.promised;
    double length = 0;
    for (size_t i = 0; i < w.size(); ++i) length += step.s[i] * step.s[i] * scale[i];
    if (kept < 0.25) radius = std::sqrt(length) / 4;
    if (kept > 0.75 && step.at_border) radius *= 2;
    if (kept > 1e-4) {
      w = std::move(moved);
      value = after;
    } else {
      loss.value(w);  // a step that raises the loss is taken back
    }
    g = loss.gradient(w);
  }
  SoftmaxClassifier out = loss.classifier(w);
  out.converged = done();
  out.loss = value;
  return out;
}

}  // namespace limbic::emotion
