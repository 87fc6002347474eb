#include "batch_norm.h"

#include <algorithm>
#include <cmath>

namespace limbic::reference {
namespace {

double elements_per_channel(const Array& src) {
  return static_cast<double>(std::ssize(src.values) / std::max<int64_t>(1, src.shape[1]));
}

void require_moments(const Array& src, const Array& weight, const Moments& m) {
  require_channels("batch_norm", src);
  const Shape channels = {src.shape[1]};
  require_shape("batch_norm", "weight", weight, channels);
  require_shape("batch_norm", "mean", m.mean, channels);
  require_shape("batch_norm", "var", m.var, channels);
}

}  // namespace

Moments batch_moments(const Array& src) {
  require_channels("batch_moments", src);
  Moments m{Array({src.shape[1]}), Array({src.shape[1]})};
  const double elements = elements_per_channel(src);
  for_each(src, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    m.mean[c] += src.at(n, c, y, x) / elements;
  });
  for_each(src, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    const double difference = src.at(n, c, y, x) - m.mean[c];
    m.var[c] += difference * difference / elements;
  });
  return m;
}

Array batch_norm(const Array& src, const Array& weight, const Array& bias, Moments& running,
                 const BatchNormOptions& o) {
  require_moments(src, weight, running);
  const Moments batch = batch_moments(src);
  const double elements = elements_per_channel(src);
  for (int64_t c = 0; c < src.shape[1]; ++c) {
    const double unbiased = batch.var[c] * elements / std::max(1.0, elements - 1);
    running.mean[c] = (1 - o.momentum) * running.mean[c] + o.momentum * batch.mean[c];
    running.var[c] = (1 - o.momentum) * running.var[c] + o.momentum * unbiased;
  }
  return frozen_batch_norm(src, weight, bias, batch, o);
}

Gradients batch_norm_backward(const Array& src, const Array& weight, const BatchNormOptions& o,
                              const Array& dy) {
  const Moments batch = batch_moments(src);
  Gradients d = frozen_batch_norm_backward(src, weight, batch, o, dy);
  const double elements = elements_per_channel(src);
  for_each(src, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    const double inverse = 1 / std::sqrt(batch.var[c] + o.epsilon);
    const double normalised = (src.at(n, c, y, x) - batch.mean[c]) * inverse;
    d.src.at(n, c, y, x) =
        weight[c] * inverse *
        (dy.at(n, c, y, x) - d.bias[c] / elements - normalised * d.weight[c] / elements);
  });
  return d;
}

Array frozen_batch_norm(const Array& src, const Array& weight, const Array& bias,
                        const Moments& moments, const BatchNormOptions& o) {
  require_moments(src, weight, moments);
  require_shape("batch_norm", "bias", bias, weight.shape);
  Array dst(src.shape);
  for_each(src, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    const double normalised =
        (src.at(n, c, y, x) - moments.mean[c]) / std::sqrt(moments.var[c] + o.epsilon);
    dst.at(n, c, y, x) = normalised * weight[c] + bias[c];
  });
  return dst;
}

Gradients frozen_batch_norm_backward(const Array& src, const Array& weight, const Moments& moments,
                                     const BatchNormOptions& o, const Array& dy) {
  require_moments(src, weight, moments);
  require_shape("batch_norm_backward", "dy", dy, src.shape);
  Gradients d{Array(src.shape), Array(weight.shape), Array(weight.shape)};
  for_each(src, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    const double g = dy.at(n, c, y, x), inverse = 1 / std::sqrt(moments.var[c] + o.epsilon);
    d.bias[c] += g;
    d.weight[c] += g * (src.at(n, c, y, x) - moments.mean[c]) * inverse;
    d.src.at(n, c, y, x) = weight[c] * inverse * g;
  });
  return d;
}

}  // namespace limbic::reference
