#include "limbic/nn/ops/activation.h"

#include <cmath>

#include "limbic/core/parallel.h"
#include "limbic/core/simd.h"
#include "limbic/nn/ops/elementwise.h"

namespace limbic {
namespace {

template <class T>
LIMBIC_MULTIVERSION void clamp(const T* x, T* y, float low, float high, int64_t n) {
  LIMBIC_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) {
    // A comparison with NaN is false: written this way round, NaN goes through.
    const float v = to_f32(x[i]), raised = v < low ? low : v;
    y[i] = from_f32<T>(raised > high ? high : raised);
  }
}

template <class T>
LIMBIC_MULTIVERSION void pass(const T* __restrict dy, const T* __restrict y, T* __restrict dx,
                              float low, float high, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float v = to_f32(y[i]);
    dx[i] = from_f32<T>(v <= low || v >= high ? 0.0f : to_f32(dy[i]));
  }
}

template <class T>
class ClampKernel : public Kernel {
 public:
  ClampKernel(const Activation& a, int64_t n) : low_(a.low), high_(a.high), n_(n) {}
  void forward(const Buffers& b) const override {
    parallel_ranges(n_, [&](int64_t begin, int64_t end) {
      clamp(b.src[0].as<T>() + begin, b.dst.as<T>() + begin, low_, high_, end - begin);
    });
  }
  void backward(const Buffers& b) const override {
    T* dx = b.diff_src[0].as<T>();
    parallel_ranges(n_, [&](int64_t begin, int64_t end) {
      pass(b.diff_dst.as<T>() + begin, b.dst.as<T>() + begin, dx + begin, low_, high_, end - begin);
    });
  }
  bool backward_reads_src() const override { return false; }
  bool backward_reads_dst() const override { return true; }
  bool may_overwrite_src() const override { return true; }

 private:
  float low_, high_;
  int64_t n_;
};

// Any other activation: its value and its derivative at x.
struct Silu {
  static float value(float x) { return x / (1 + std::exp(-x)); }
  static float slope(float x) {
    const float s = 1 / (1 + std::exp(-x));
    return s * (1 + x * (1 - s));
  }
};
struct HardSwish {
  static float value(float x) { return x * std::min(std::max(x + 3, 0.0f), 6.0f) / 6; }
  static float slope(float x) { return x <= -3 ? 0.0f : x >= 3 ? 1.0f : (2 * x + 3) / 6; }
};
struct Gelu {
  static float value(float x) { return x * (1 + std::erf(x * 0.70710678f)) / 2; }
  static float slope(float x) {
    return (1 + std::erf(x * 0.70710678f)) / 2 + x * 0.39894228f * std::exp(-x * x / 2);
  }
};

struct Sigmoid {
  static float value(float x) { return 1 / (1 + std::exp(-x)); }
  static float slope(float x) { return value(x) * value(-x); }
};
struct Tanh {
  static float value(float x) { return std::tanh(x); }
  static float slope(float x) { return (1 - std::tanh(x)) * (1 + std::tanh(x)); }
};
struct LeakyRelu {
  float below;
  float value(float x) const { return x > 0 ? x : below * x; }
  float slope(float x) const { return x > 0 ? 1 : below; }
};

template <class F, class T>
class EachKernel : public Kernel {
 public:
  explicit EachKernel(int64_t n, F f = {}) : n_(n), f_(f) {}
  void forward(const Buffers& b) const override {
    const T* x = b.src[0].as<T>();
    T* y = b.dst.as<T>();
    parallel_for(n_, [&](int64_t i) { y[i] = from_f32<T>(f_.value(to_f32(x[i]))); });
  }
  void backward(const Buffers& b) const override {
    const T *x = b.src[0].as<T>(), *dy = b.diff_dst.as<T>();
    T* dx = b.diff_src[0].as<T>();
    parallel_for(n_,
                 [&](int64_t i) { dx[i] = from_f32<T>(to_f32(dy[i]) * f_.slope(to_f32(x[i]))); });
  }
  bool may_overwrite_src() const override { return true; }

 private:
  int64_t n_;
  F f_;
};

template <class T>
std::unique_ptr<Kernel> make_activation(const Activation& a, int64_t n) {
  switch (a.kind) {
    case Activation::Kind::clamp:
      return std::make_unique<ClampKernel<T>>(a, n);
    case Activation::Kind::silu:
      return std::make_unique<EachKernel<Silu, T>>(n);
    case Activation::Kind::hard_swish:
      return std::make_unique<EachKernel<HardSwish, T>>(n);
    case Activation::Kind::gelu:
      return std::make_unique<EachKernel<Gelu, T>>(n);
    case Activation::Kind::sigmoid:
      return std::make_unique<EachKernel<Sigmoid, T>>(n);
    case Activation::Kind::tanh:
      return std::make_unique<EachKernel<Tanh, T>>(n);
    case Activation::Kind::leaky_relu:
      return std::make_unique<EachKernel<LeakyRelu, T>>(n, LeakyRelu{a.slope});
    case Activation::Kind::none:
      break;
  }
  fail("an activation that does nothing is no layer");
}

}  // namespace

Activate::Activate(const Activation& activation) : activation_(activation) {
  require(!activation.is_clamp() || activation.low < activation.high, "clamp: from ",
          activation.low, " to ", activation.high, " lies nothing");
  require(std::isfinite(activation.slope), "leaky_relu: a slope of ", activation.slope);
}

std::unique_ptr<Kernel> Activate::compile(KernelBuilder& builder) const {
  return with_element(builder.dtype, [&]<class T>(T) {
    return make_activation<T>(activation_, count(builder.dst_shape));
  });
}

Value activate(Value src, const Activation& activation) {
  const Node& node = src.graph->node(src.node);
  return src.graph->append({.name = node.name + "." + activation.name(),
                            .op = std::make_shared<Activate>(activation),
                            .src = {src},
                            .channels = node.channels,
                            .positions = node.positions});
}

}  // namespace limbic
