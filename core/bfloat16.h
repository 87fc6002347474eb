#pragma once
#include <bit>
#include <cstdint>
#include <type_traits>

namespace limbic {

/// The upper half of an f32: 8 bits of exponent, 7 of mantissa, for storage only. Arithmetic is
/// done in f32; plain loops over `to_f32` and `from_f32` are vectorised by the compiler, as long as
/// it inlines both, whatever instruction set the loop is compiled for.
struct BFloat16 {
  uint16_t bits = 0;
};

[[gnu::always_inline]] inline float to_f32(float x) { return x; }
[[gnu::always_inline]] inline float to_f32(BFloat16 x) {
  return std::bit_cast<float>(uint32_t{x.bits} << 16);
}

[[gnu::always_inline]] inline float to_f32(uint8_t x) { return static_cast<float>(x); }

/// Rounds to the nearest, ties to even, as the processor's conversion does; a NaN stays one.
template <class T>
[[gnu::always_inline]] inline T from_f32(float x) {
  if constexpr (std::is_same_v<T, float>) {
    return x;
  } else if constexpr (std::is_same_v<T, uint8_t>) {  // saturates; halves go up
    const float shifted = x + 0.5f, low = shifted > 0 ? shifted : 0.0f;
    return static_cast<uint8_t>(static_cast<int32_t>(low < 255.0f ? low : 255.0f));
  } else {
    const auto bits = std::bit_cast<uint32_t>(x);
    const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16, quiet = bits >> 16 | 0x40;
    return {static_cast<uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded)};
  }
}

}  // namespace limbic
