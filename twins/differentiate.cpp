#include "limbic/twins/differentiate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/concat.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/softmax.h"
#include "limbic/reference/add.h"
#include "limbic/reference/concat.h"
#include "limbic/reference/linear.h"
#include "limbic/reference/local_response_norm.h"
#include "limbic/reference/softmax.h"
#include "limbic/twins/activate.h"
#include "limbic/twins/options.h"

namespace limbic::twins {
namespace {

using Gradients = Twin::Gradients;
using Round = std::function<double(double)>;

// What one node's backward reads.
struct Step {
  const Node& node;
  std::vector<const Array*> src, parameters;
  const Array& dy;
};

Gradients of_layer(reference::Gradients d) {
  return {{std::move(d.src)}, {std::move(d.weight), std::move(d.bias)}};
}

// Batch norm's gradient with its parts rounded, too: over few elements a channel nearly all of it
// cancels, and what is left is rounding.
reference::Gradients rounded_batch_norm(const Step& s, const reference::Moments& moments,
                                        const reference::BatchNormOptions& o, bool batch_statistics,
                                        const Round& round) {
  const Array &src = *s.src[0], &weight = *s.parameters[0];
  reference::Moments rounded = moments;
  Array inverse(weight.shape);
  for (int64_t c = 0; c < std::ssize(weight.values); ++c) {
    rounded.mean[c] = round(moments.mean[c]);
    inverse[c] = round(1 / std::sqrt(moments.var[c] + o.epsilon));
    rounded.var[c] = 1 / (inverse[c] * inverse[c]) - o.epsilon;
  }
  auto d = reference::frozen_batch_norm_backward(src, weight, rounded, o, s.dy);
  if (!batch_statistics) return d;
  const double n = static_cast<double>(src.values.size() / weight.values.size());
  reference::for_each(src, [&](int64_t i, int64_t c, int64_t y, int64_t x) {
    const double normalised = round((src.at(i, c, y, x) - rounded.mean[c]) * inverse[c]);
    d.src.at(i, c, y, x) -=
        weight[c] * inverse[c] * (round(d.bias[c] / n) + round(normalised * d.weight[c] / n));
  });
  return d;
}

reference::Gradients batch_norm(const Step& s, const reference::BatchNormOptions& o,
                                bool batch_statistics, const Round& round) {
  const Array &src = *s.src[0], &weight = *s.parameters[0];
  const reference::Moments running{*s.parameters[2], *s.parameters[3]};
  if (round)
    return rounded_batch_norm(s, batch_statistics ? reference::batch_moments(src) : running, o,
                              batch_statistics, round);
  return batch_statistics ? reference::batch_norm_backward(src, weight, o, s.dy)
                          : reference::frozen_batch_norm_backward(src, weight, running, o, s.dy);
}

Gradients run(const Step& s, const Mode& mode) {
  const Op& op = *s.node.op;
  const Array& x = *s.src[0];
  if (const auto* conv = as<Conv2d>(op))
    return of_layer(reference::conv2d_backward(x, *s.parameters[0], plain(conv->options()), s.dy));
  if (const auto* norm = as<BatchNorm>(op))
    return of_layer(
        batch_norm(s, plain(norm->options()), uses_batch_statistics(s.node, mode), mode.round));
  if (as<Linear>(op)) return of_layer(reference::linear_backward(x, *s.parameters[0], s.dy));
  if (const Activation a = op.as_activation()) return {{activate_backward(x, a, s.dy)}};
  if (const auto* pool = as<Pool2d>(op))
    return {{(pool->kind() == Pool2d::Kind::max
                  ? reference::max_pool2d_backward
                  : reference::avg_pool2d_backward)(x, plain(pool->options()), s.dy)}};
  if (const auto* pool = as<AdaptiveAvgPool2d>(op))
    return {{reference::adaptive_avg_pool2d_backward(x, plain(pool->output()), s.dy)}};
  if (as<GlobalAvgPool>(op)) return {{reference::global_avg_pool_backward(x, s.dy)}};
  if (const auto* norm = as<LocalResponseNorm>(op))
    return {{reference::local_response_norm_backward(x, plain(norm->options()), s.dy)}};
  if (as<Add>(op)) {
    reference::AddGradients d = reference::add_backward(s.dy);
    return {{std::move(d.a), std::move(d.b)}};
  }
  if (as<Concat>(op)) return {reference::concat_backward(copies(s.src), s.dy)};
  if (as<Softmax>(op)) return {{reference::softmax_backward(x, s.dy)}};
  if (as<Dropout>(op)) return {{s.dy}};
  if (as<Flatten>(op)) return {{reference::flatten_backward(x, s.dy)}};
  if (const auto* p = as<StridedSlicePad>(op))
    return {{reference::slice_pad_backward(x, plain(p->options()), s.dy)}};
  if (const auto* u = as<Upsample>(op))
    return {
        {(u->options().mode == UpsampleOptions::Mode::nearest
              ? reference::upsample_nearest_backward
              : reference::upsample_bilinear_backward)(x.shape, plain(u->options().scale), s.dy)}};
  if (mode.twin.backward) return mode.twin.backward(op, copies(s.src), s.parameters, s.dy);
  fail("op '", op.type(), "' has no naive backward twin");
}

// Several readers' gradients add up.
void accumulate(Array& sum, Array d, const Round& round) {
  if (sum.empty())
    sum = std::move(d);
  else
    sum = reference::add(sum, d);
  if (round)
    for (double& v : sum.values) v = round(v);
}

}  // namespace

Derivatives differentiate(const Graph& graph, const Arrays& parameters,
                          const std::vector<Array>& values, int loss, const Array& diff,
                          const Mode& mode) {
  Derivatives d;
  d.values.resize(values.size());
  d.values[static_cast<size_t>(loss)] = diff;
  for (auto n = static_cast<size_t>(loss); n > 0; --n) {
    const Node& node = graph.nodes()[n];
    if (d.values[n].empty()) continue;
    Step step{node, {}, {}, d.values[n]};
    for (int s : node.src) step.src.push_back(&values[static_cast<size_t>(s)]);
    for (const std::string& name : node.parameters) step.parameters.push_back(&parameters.at(name));
    Gradients gradients = run(step, mode);
    for (size_t i = 0; i < node.src.size(); ++i)
      accumulate(d.values[static_cast<size_t>(node.src[i])], std::move(gradients.src[i]),
                 mode.round);
    const size_t trained = std::min(node.parameters.size(), gradients.parameters.size());
    for (size_t i = 0; i < trained; ++i)
      accumulate(d.parameters[node.parameters[i]], std::move(gradients.parameters[i]), mode.round);
  }
  return d;
}

double distance_from_kinks(const Graph& graph, const std::vector<Array>& values) {
  double nearest = std::numeric_limits<double>::infinity();
  for (size_t n = 1; n < values.size(); ++n) {
    const Op& op = *graph.nodes()[n].op;
    const std::vector<double> kinks = kinks_of(op.as_activation());
    const auto* pool = as<Pool2d>(op);
    if (kinks.empty() && !(pool && pool->kind() == Pool2d::Kind::max)) continue;
    const Array& src = values[static_cast<size_t>(graph.nodes()[n].src[0])];
    double scale = 1e-30;
    for (double v : src.values) scale = std::max(scale, std::abs(v));
    if (!kinks.empty())
      for (double v : src.values)
        for (double kink : kinks) {
          // Exactly 0 is what another ReLU gives, in every computation.
          if (v != 0) nearest = std::min(nearest, std::abs(v - kink) / scale);
        }
    else
      reference::for_each(values[n], [&](int64_t i, int64_t c, int64_t oy, int64_t ox) {
        const double best = values[n].at(i, c, oy, ox);
        int64_t equal = 0;
        reference::for_window(src, plain(pool->options()), oy, ox, [&](int64_t y, int64_t x) {
          const double v = src.at(i, c, y, x);
          if (v != best) nearest = std::min(nearest, (best - v) / scale);
          equal += v == best;
        });
        if (equal > 1 && best != 0) nearest = 0;  // zeros of a ReLU stay equal
      });
  }
  return nearest;
}

}  // namespace limbic::twins
