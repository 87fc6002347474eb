#include "tests/reference/backward.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/concat.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/softmax.h"

namespace limbic::naive {
namespace {

template <class T>
const T* as(const Op& op) {
  return dynamic_cast<const T*>(&op);
}

template <class Body>
void for_each(const Array& a, const Body& body) {
  for (int64_t n = 0; n < a.shape[0]; ++n)
    for (int64_t c = 0; c < a.shape[1]; ++c)
      for (int64_t y = 0; y < a.height(); ++y)
        for (int64_t x = 0; x < a.width(); ++x) body(n, c, y, x);
}

// What one node's backward reads and adds to. A null diff is one that nobody wants.
struct Step {
  const Node& node;
  std::vector<const Array*> src;
  const Array& dst;
  const Array& dy;
  std::vector<Array*> dx;             // of each src
  std::vector<const Array*> weights;  // parameters, in the op's order
  std::vector<Array*> dw;
};

// Each product weight * src of the definition gives weight * dy to src and src * dy to weight.
void conv2d(const Step& s, const Conv2dOptions& o) {
  const Array &src = *s.src[0], &weight = *s.weights[0];
  const int64_t in_per_group = src.shape[1] / o.groups, out_per_group = o.out_channels / o.groups;
  const Padding padding = padding_of(o, src.shape);
  for_each(s.dy, [&](int64_t n, int64_t oc, int64_t oy, int64_t ox) {
    const double dy = s.dy.at(n, oc, oy, ox);
    if (o.bias) s.dw[1]->values[static_cast<size_t>(oc)] += dy;
    for (int64_t ic = 0; ic < in_per_group; ++ic)
      for (int64_t u = 0; u < o.kernel_size.h; ++u)
        for (int64_t v = 0; v < o.kernel_size.w; ++v) {
          const int64_t y = oy * o.stride.h - padding.top + u * o.dilation.h;
          const int64_t x = ox * o.stride.w - padding.left + v * o.dilation.w;
          if (y < 0 || x < 0 || y >= src.shape[2] || x >= src.shape[3]) continue;
          const int64_t channel = oc / out_per_group * in_per_group + ic;
          s.dx[0]->at(n, channel, y, x) += weight.at(oc, ic, u, v) * dy;
          s.dw[0]->at(oc, ic, u, v) += src.at(n, channel, y, x) * dy;
        }
  });
}

void batch_norm(const Step& s, const BatchNormOptions& o, bool batch_statistics,
                const std::function<double(double)>& round) {
  const Array& src = *s.src[0];
  const double count_of =
      static_cast<double>(src.values.size()) / static_cast<double>(src.shape[1]);
  for (int64_t c = 0; c < src.shape[1]; ++c) {
    const auto i = static_cast<size_t>(c);
    const auto each = [&](auto&& body) {
      for_each(src, [&](int64_t n, int64_t channel, int64_t y, int64_t x) {
        if (channel == c) body(n, y, x);
      });
    };
    double mean = s.weights[2]->values[i], var = s.weights[3]->values[i];
    if (batch_statistics) {
      mean = var = 0;
      each([&](auto n, auto y, auto x) { mean += src.at(n, c, y, x) / count_of; });
      each([&](auto n, auto y, auto x) {
        var += std::pow(src.at(n, c, y, x) - mean, 2) / count_of;
      });
    }
    mean = round(mean);
    const double inverse = round(1 / std::sqrt(var + o.epsilon));
    double sum = 0, product = 0;
    each([&](auto n, auto y, auto x) {
      sum += s.dy.at(n, c, y, x);
      product += s.dy.at(n, c, y, x) * (src.at(n, c, y, x) - mean) * inverse;
    });
    s.dw[0]->values[i] += product;
    s.dw[1]->values[i] += sum;
    each([&](auto n, auto y, auto x) {
      const double normalised = round((src.at(n, c, y, x) - mean) * inverse);
      double d = s.dy.at(n, c, y, x);
      if (batch_statistics) d -= round(sum / count_of) + round(normalised * product / count_of);
      s.dx[0]->at(n, c, y, x) += s.weights[0]->values[i] * inverse * d;
    });
  }
}

void relu(const Step& s, double cap) {
  for (size_t i = 0; i < s.dy.values.size(); ++i)
    if (const double x = s.src[0]->values[i]; !(x <= 0 || x >= cap))
      s.dx[0]->values[i] += s.dy.values[i];
}

// body(y, x) for each pixel of a sliding window; returns how many places count as padded.
template <class Body>
int64_t for_window(const Array& src, const Pool2dOptions& o, int64_t oy, int64_t ox,
                   const Body& body) {
  int64_t padded = 0;
  for (int64_t u = 0; u < o.kernel_size.h; ++u)
    for (int64_t v = 0; v < o.kernel_size.w; ++v) {
      const int64_t y = oy * o.stride.h - o.padding.top + u;
      const int64_t x = ox * o.stride.w - o.padding.left + v;
      if (y >= src.shape[2] + o.padding.bottom || x >= src.shape[3] + o.padding.right) continue;
      ++padded;
      if (y < 0 || x < 0 || y >= src.shape[2] || x >= src.shape[3]) continue;
      body(y, x);
    }
  return padded;
}

void max_pool2d(const Step& s, const Pool2dOptions& o) {
  for_each(s.dy, [&](int64_t n, int64_t c, int64_t oy, int64_t ox) {
    double best = -std::numeric_limits<double>::infinity();
    double* where = nullptr;
    for_window(*s.src[0], o, oy, ox, [&](int64_t y, int64_t x) {
      const double v = s.src[0]->at(n, c, y, x);
      if (where && !(v > best) && !std::isnan(v)) return;
      best = v;
      where = &s.dx[0]->at(n, c, y, x);
    });
    if (where) *where += s.dy.at(n, c, oy, ox);
  });
}

void avg_pool2d(const Step& s, const Pool2dOptions& o) {
  for_each(s.dy, [&](int64_t n, int64_t c, int64_t oy, int64_t ox) {
    int64_t inside = 0;
    const int64_t padded = for_window(*s.src[0], o, oy, ox, [&](int64_t, int64_t) { ++inside; });
    const double share =
        s.dy.at(n, c, oy, ox) / static_cast<double>(o.count_include_pad ? padded : inside);
    for_window(*s.src[0], o, oy, ox,
               [&](int64_t y, int64_t x) { s.dx[0]->at(n, c, y, x) += share; });
  });
}

void adaptive_avg_pool2d(const Step& s) {
  const int64_t h = s.src[0]->shape[2], w = s.src[0]->shape[3];
  const int64_t oh = s.dst.height(), ow = s.dst.width();
  for_each(s.dy, [&](int64_t n, int64_t c, int64_t oy, int64_t ox) {
    const int64_t y0 = oy * h / oh, y1 = ((oy + 1) * h + oh - 1) / oh;
    const int64_t x0 = ox * w / ow, x1 = ((ox + 1) * w + ow - 1) / ow;
    const double share = s.dy.at(n, c, oy, ox) / static_cast<double>((y1 - y0) * (x1 - x0));
    for (int64_t y = y0; y < y1; ++y)
      for (int64_t x = x0; x < x1; ++x) s.dx[0]->at(n, c, y, x) += share;
  });
}

void linear(const Step& s, bool bias) {
  for_each(s.dy, [&](int64_t n, int64_t o, int64_t, int64_t) {
    const double dy = s.dy.at(n, o);
    if (bias) s.dw[1]->values[static_cast<size_t>(o)] += dy;
    for (int64_t i = 0; i < s.src[0]->shape[1]; ++i) {
      s.dx[0]->at(n, i) += s.weights[0]->at(o, i) * dy;
      s.dw[0]->at(o, i) += s.src[0]->at(n, i) * dy;
    }
  });
}

void concat(const Step& s) {
  int64_t begin = 0;
  for (Array* dx : s.dx) {
    for_each(*dx, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
      dx->at(n, c, y, x) += s.dy.at(n, begin + c, y, x);
    });
    begin += dx->shape[1];
  }
}

void softmax(const Step& s) {
  for (int64_t n = 0; n < s.dy.shape[0]; ++n) {
    double dot = 0;
    for (int64_t c = 0; c < s.dy.shape[1]; ++c) dot += s.dy.at(n, c) * s.dst.at(n, c);
    for (int64_t c = 0; c < s.dy.shape[1]; ++c)
      s.dx[0]->at(n, c) += s.dst.at(n, c) * (s.dy.at(n, c) - dot);
  }
}

void same_order(const Step& s) {
  for (Array* dx : s.dx)
    for (size_t i = 0; i < s.dy.values.size(); ++i) dx->values[i] += s.dy.values[i];
}

void slice_pad(const Step& s, const ShortcutOptions& o) {
  const int64_t channels = s.src[0]->shape[1];
  for_each(s.dy, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    const int64_t from = c - o.channels_before;
    if (from >= 0 && from < channels)
      s.dx[0]->at(n, from, y * o.stride.h, x * o.stride.w) += s.dy.at(n, c, y, x);
  });
}

void run(const Step& s, const Mode& mode) {
  const Op& op = *s.node.op;
  if (const auto* conv = as<Conv2d>(op)) return conv2d(s, conv->options());
  if (const auto* norm = as<BatchNorm>(op))
    return batch_norm(
        s, norm->options(), uses_batch_statistics(s.node, mode),
        mode.round ? mode.round : [](double x) { return x; });
  if (op.as_activation().is_clamp())
    return relu(s, static_cast<double>(op.as_activation().high));
  if (const auto* pool = as<Pool2d>(op))
    return (pool->kind() == Pool2d::Kind::max ? max_pool2d : avg_pool2d)(s, pool->options());
  if (as<AdaptiveAvgPool2d>(op) || as<GlobalAvgPool>(op)) return adaptive_avg_pool2d(s);
  if (const auto* l = as<Linear>(op)) return linear(s, l->options().bias);
  if (as<Add>(op) || as<Dropout>(op) || as<Flatten>(op)) return same_order(s);
  if (as<Concat>(op)) return concat(s);
  if (as<Softmax>(op)) return softmax(s);
  if (const auto* p = as<StridedSlicePad>(op)) return slice_pad(s, p->options());
  fail("op '", op.type(), "' has no naive backward twin");
}

}  // namespace

Derivatives differentiate(const Graph& graph, const Arrays& parameters,
                          const std::vector<Array>& values, int loss, const Array& diff,
                          const Mode& mode) {
  Derivatives d;
  d.values.assign(values.size(), Array());
  for (Array& value : d.values) value.values.clear();
  d.values[static_cast<size_t>(loss)] = diff;
  for (auto n = static_cast<size_t>(loss); n > 0; --n) {
    const Node& node = graph.nodes()[n];
    if (d.values[n].values.empty()) continue;
    Step step{node, {}, values[n], d.values[n], {}, {}, {}};
    for (int s : node.src) {
      const auto source = static_cast<size_t>(s);
      if (d.values[source].values.empty()) d.values[source] = Array(values[source].shape);
      step.src.push_back(&values[source]);
      step.dx.push_back(&d.values[source]);
    }
    for (const std::string& name : node.parameters) {
      step.weights.push_back(&parameters.at(name));
      step.dw.push_back(&d.parameters.try_emplace(name, parameters.at(name).shape).first->second);
    }
    run(step, mode);
    if (!mode.round) continue;
    for (Array* dx : step.dx)
      for (double& v : dx->values) v = mode.round(v);
    for (Array* dw : step.dw)
      for (double& v : dw->values) v = mode.round(v);
  }
  return d;
}

double distance_from_kinks(const Graph& graph, const std::vector<Array>& values) {
  double nearest = std::numeric_limits<double>::infinity();
  for (size_t n = 1; n < values.size(); ++n) {
    const Op& op = *graph.nodes()[n].op;
    const Activation clamp = op.as_activation();
    const auto* pool = as<Pool2d>(op);
    if (!clamp.is_clamp() && !(pool && pool->kind() == Pool2d::Kind::max)) continue;
    const Array& src = values[static_cast<size_t>(graph.nodes()[n].src[0])];
    double scale = 1e-30;
    for (double v : src.values) scale = std::max(scale, std::abs(v));
    if (clamp.is_clamp())
      for (double v : src.values) {
        const double cap = static_cast<double>(clamp.high);
        // Exactly 0 is what another ReLU gives, in every computation.
        if (v != 0) nearest = std::min({nearest, std::abs(v) / scale, std::abs(cap - v) / scale});
      }
    else
      for_each(values[n], [&](int64_t i, int64_t c, int64_t oy, int64_t ox) {
        const double best = values[n].at(i, c, oy, ox);
        int64_t equal = 0;
        for_window(src, pool->options(), oy, ox, [&](int64_t y, int64_t x) {
          const double v = src.at(i, c, y, x);
          if (v != best) nearest = std::min(nearest, (best - v) / scale);
          equal += v == best;
        });
        if (equal > 1 && best != 0) nearest = 0;  // zeros of a ReLU stay equal
      });
  }
  return nearest;
}

}  // namespace limbic::naive
