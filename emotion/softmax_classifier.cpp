#include "emotion/softmax_classifier.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "io/dataset.h"
#include "nn/core/gemm.h"
#include "nn/loss.h"
#include "nn/ops/softmax.h"

namespace limbic {
namespace {

Tensor logits_of(const SoftmaxClassifier& c, const Tensor& x) {
  const int64_t n = x.dim(0), d = x.dim(1), classes = c.bias.size();
  require(c.weight.dim(1) == d, "softmax classifier: expected ", c.weight.dim(1), " features, got ",
          d);
  Tensor out({n, classes});
  for (int64_t i = 0; i < n; ++i) std::copy_n(c.bias.data(), classes, out.data() + i * classes);
  gemm(1.0f, {x.data(), n, d, d}, Matrix<const float>{c.weight.data(), classes, d, d}.t(), 1.0f,
       {out.data(), n, classes, classes});
  return out;
}

struct Rows {
  Tensor x;
  std::vector<int64_t> labels;
};

Rows gather(const Tensor& x, const std::vector<int64_t>& labels, const std::vector<int64_t>& order,
            int64_t begin, int64_t end) {
  const int64_t d = x.dim(1);
  Rows rows{Tensor({end - begin, d}), {}};
  for (int64_t i = begin; i < end; ++i) {
    const int64_t from = order[static_cast<size_t>(i)];
    std::memcpy(rows.x.data() + (i - begin) * d, x.data() + from * d,
                static_cast<size_t>(d) * sizeof(float));
    rows.labels.push_back(labels[static_cast<size_t>(from)]);
  }
  return rows;
}

// value -= rate * velocity; velocity = momentum * velocity + gradient + decay * value.
void update(const Tensor& value, const Tensor& velocity, const Tensor& gradient, double decay,
            const SoftmaxClassifierOptions& o) {
  const auto rate = static_cast<float>(o.learning_rate), momentum = static_cast<float>(o.momentum);
  const auto weight_decay = static_cast<float>(decay);
  for (int64_t i = 0; i < value.size(); ++i) {
    float& v = velocity.data()[i];
    v = momentum * v + gradient.data()[i] + weight_decay * value.data()[i];
    value.data()[i] -= rate * v;
  }
}

}  // namespace

Tensor SoftmaxClassifier::probabilities(const Tensor& x) const {
  Tensor out = logits_of(*this, x);
  softmax_rows(out.values(), out.dim(1), out.values());
  return out;
}

SoftmaxClassifier train_softmax_classifier(const Tensor& x, const std::vector<int64_t>& labels,
                                           int64_t classes, const SoftmaxClassifierOptions& o) {
  const int64_t n = x.dim(0), d = x.dim(1), held = n / 10, training = n - held;
  const auto order = shuffle_order(n, o.seed, 0);
  const Rows check = gather(x, labels, order, training, n);
  SoftmaxClassifier c{Tensor({classes, d}), Tensor({classes})}, best = c;
  const Tensor w_velocity(c.weight.shape()), b_velocity(c.bias.shape());
  const Tensor w_gradient(c.weight.shape()), b_gradient(c.bias.shape());
  double best_loss = INFINITY;
  int64_t best_epoch = 0;
  for (int64_t epoch = 1; epoch <= o.epochs && epoch - best_epoch <= o.patience; ++epoch) {
    std::vector<int64_t> inner = shuffle_order(training, o.seed, epoch);
    for (int64_t& i : inner) i = order[static_cast<size_t>(i)];
    for (int64_t begin = 0; begin < training; begin += o.batch_size) {
      const Rows rows = gather(x, labels, inner, begin, std::min(training, begin + o.batch_size));
      const int64_t m = rows.x.dim(0);
      const Tensor logits = logits_of(c, rows.x), diff(logits.shape());
      softmax_cross_entropy(logits.values(), rows.labels, diff.values());
      gemm(1.0f, Matrix<const float>{diff.data(), m, classes, classes}.t(),
           {rows.x.data(), m, d, d}, 0.0f, {w_gradient.data(), classes, d, d});
      for (int64_t k = 0; k < classes; ++k) {
        float sum = 0;
        for (int64_t i = 0; i < m; ++i) sum += diff.data()[i * classes + k];
        b_gradient.data()[k] = sum;
      }
      update(c.weight, w_velocity, w_gradient, o.weight_decay, o);
      update(c.bias, b_velocity, b_gradient, 0, o);
    }
    const double loss =
        held > 0 ? softmax_cross_entropy(logits_of(c, check.x).values(), check.labels, {})
                 : -static_cast<double>(epoch);
    if (loss < best_loss) {
      best_loss = loss;
      best_epoch = epoch;
      best = {c.weight.clone(), c.bias.clone()};
    }
  }
  return best;
}

}  // namespace limbic
