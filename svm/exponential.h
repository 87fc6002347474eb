#pragma once
#include <bit>
#include <cstdint>

namespace limbic::svm {

/// e^x for x <= 0 in f32, to 1.5 units in the last place, 0 below -87: straight arithmetic without
/// a branch, so that loops over it become vector code. x = k ln 2 + r with |r| <= ln 2 / 2; e^r by
/// its series to r^7.
[[gnu::always_inline]] inline float exp_of_negative(float x) {
  constexpr float rounder = 0x1.8p23f;  // adding and taking it away leaves the nearest integer
  constexpr float ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
  const float bounded = x > -87.0f ? x : -87.0f;
  const float k = (bounded * 0x1.715476p0f + rounder) - rounder;
  const float r = (bounded - k * ln2_high) - k * ln2_low;
  float sum = 1.0f / 5040;
  sum = sum * r + 1.0f / 720;
  sum = sum * r + 1.0f / 120;
  sum = sum * r + 1.0f / 24;
  sum = sum * r + 1.0f / 6;
  sum = sum * r + 0.5f;
  sum = sum * r + 1.0f;
  sum = sum * r + 1.0f;
  const float power = std::bit_cast<float>((static_cast<int32_t>(k) + 127) << 23);
  return x > -87.0f ? sum * power : 0.0f;
}

}  // namespace limbic::svm
