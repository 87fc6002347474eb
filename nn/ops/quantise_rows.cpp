// Rows of f32 or bf16 to 8-bit values, in Highway: the compiler's own vector code for the narrowing
// is five times slower.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "limbic/nn/ops/quantise_rows.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, as Highway asks.
#include <hwy/highway.h>

#include <algorithm>

#include "limbic/nn/ops/batch_norm_loops.h"

HWY_BEFORE_NAMESPACE();
namespace limbic::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;

inline hn::Vec<Floats> load(Floats d, const float* x) { return hn::LoadU(d, x); }

inline hn::Vec<Floats> load(Floats d, const BFloat16* x) {
  const hn::Rebind<uint16_t, Floats> half;
  const hn::Rebind<uint32_t, Floats> whole;
  const auto bits = hn::LoadU(half, reinterpret_cast<const uint16_t*>(x));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(whole, bits)));
}

template <class T>
void quantise(const QuantisedRows<T>& r) {
  const Floats d;
  const hn::Rebind<uint8_t, Floats> bytes;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t whole = r.columns / lanes * lanes;
  for (int64_t row = 0; row < r.rows; ++row) {
    const T* x = r.x + row * r.columns;
    uint8_t* y = r.y + row * r.y_pitch;
    for (int64_t c = 0; c < whole; c += lanes) {
      const auto v =
          hn::MulAdd(load(d, x + c), hn::LoadU(d, r.scale + c), hn::LoadU(d, r.bias + c));
      hn::StoreU(hn::DemoteTo(bytes, hn::NearestInt(v)), bytes, y + c);
    }
    for (int64_t c = whole; c < r.columns; ++c)
      y[c] = from_f32<uint8_t>(to_f32(x[c]) * r.scale[c] + r.bias[c]);
  }
}

inline void quantise_f32(const QuantisedRows<float>& r) { quantise(r); }
inline void quantise_bf16(const QuantisedRows<BFloat16>& r) { quantise(r); }

}  // namespace limbic::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limbic {

HWY_EXPORT(quantise_f32);
HWY_EXPORT(quantise_bf16);

template <>
void quantise_rows(const QuantisedRows<float>& r) {
  HWY_DYNAMIC_DISPATCH(quantise_f32)(r);
}
template <>
void quantise_rows(const QuantisedRows<BFloat16>& r) {
  HWY_DYNAMIC_DISPATCH(quantise_bf16)(r);
}

}  // namespace limbic
#endif
