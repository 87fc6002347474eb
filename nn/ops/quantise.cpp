#include "limbic/nn/ops/quantise.h"

#include <cmath>

#include "limbic/core/parallel.h"
#include "limbic/core/simd.h"
#include "limbic/nn/ops/elementwise.h"

namespace limbic {
namespace {

// False where x holds a NaN.
template <class To, class From>
LIMBIC_MULTIVERSION bool round_to(const From* x, To* y, float inverse, int64_t n) {
  constexpr bool is_signed = std::is_same_v<To, int8_t>;
  constexpr float low = is_signed ? -127.0f : 0.0f, high = is_signed ? 127.0f : 255.0f;
  int32_t nans = 0;
  for (int64_t i = 0; i < n; ++i) {
    const float v = to_f32(x[i]) * inverse;
    nans |= v != v;
    const float held = v < low ? low : v > high ? high : v == v ? v : 0.0f;
    y[i] = static_cast<To>(static_cast<int32_t>(held + (held < 0 ? -0.5f : 0.5f)));
  }
  return nans == 0;
}

template <class From, class To>
class QuantiseKernel : public Kernel {
 public:
  explicit QuantiseKernel(const KernelBuilder& b)
      : name_(b.name), inverse_(1 / b.scale), n_(count(b.dst_shape)) {}
  void forward(const Buffers& b) const override {
    parallel_ranges(n_, [&](int64_t begin, int64_t end) {
      require(round_to(b.src[0].as<From>() + begin, b.dst.as<To>() + begin, inverse_, end - begin),
              name_, ": 8 bits hold no NaN, and there is one: use f32 to see where it comes from");
    });
  }
  void backward(const Buffers&) const override { fail("int8 is for inference alone"); }

 private:
  std::string name_;
  float inverse_;
  int64_t n_;
};

}  // namespace

std::unique_ptr<Kernel> Quantise::compile(KernelBuilder& builder) const {
  return with_element(builder.src_dtypes[0], [&]<class From>(From) -> std::unique_ptr<Kernel> {
    if (builder.dtype == DType::i8) return std::make_unique<QuantiseKernel<From, int8_t>>(builder);
    return std::make_unique<QuantiseKernel<From, uint8_t>>(builder);
  });
}

}  // namespace limbic
