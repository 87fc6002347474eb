#include "limbic/core/finite.h"

#include <limits>

#include "limbic/core/simd.h"

namespace limbic {
namespace {

// The largest of the words without their sign bits; those of NaN and infinity are above all others.
template <class Word>
LIMBIC_MULTIVERSION Word largest_magnitude(const Word* words, int64_t n) {
  constexpr Word magnitude = std::numeric_limits<Word>::max();
  Word largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    const Word word = words[i] & magnitude;
    largest = word > largest ? word : largest;
  }
  return largest;
}

template <class Word>
bool below(const void* words, int64_t n, Word infinity) {
  return largest_magnitude(static_cast<const Word*>(words), n) < infinity;
}

}  // namespace

bool all_finite(std::span<const float> values) {
  return below<int32_t>(values.data(), std::ssize(values), 0x7f800000);
}

bool all_finite(const Tensor& tensor) {
  const void* raw = tensor.raw();
  const int64_t n = tensor.size();
  switch (tensor.dtype()) {
    case DType::f64:
      return below<int64_t>(raw, n, 0x7ff0000000000000);
    case DType::f32:
      return below<int32_t>(raw, n, 0x7f800000);
    case DType::bf16:
      return below<int16_t>(raw, n, 0x7f80);
    case DType::f16:
      return below<int16_t>(raw, n, 0x7c00);
    default:
      return true;
  }
}

}  // namespace limbic
