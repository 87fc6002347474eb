#include "limbic/core/fingerprint.h"

#include <cstring>

#include "limbic/core/random.h"
#include "limbic/core/simd.h"

namespace limbic {
namespace {

constexpr int64_t lanes = 64;

// lane[i] = lane[i] * odd + word, so that each word changes its lane for good: multiplying by an
// odd number loses nothing.
LIMBIC_MULTIVERSION void absorb(const uint32_t* __restrict words, int64_t blocks,
                                uint32_t* __restrict lane) {
  for (int64_t b = 0; b < blocks; ++b)
    for (int64_t i = 0; i < lanes; ++i) lane[i] = lane[i] * 0x9E3779B1u + words[b * lanes + i];
}

}  // namespace

uint64_t fingerprint(const Tensor& tensor) {
  constexpr int64_t block = lanes * 4;
  const auto* bytes = static_cast<const char*>(tensor.raw());
  const int64_t blocks = tensor.bytes() / block, rest = tensor.bytes() % block;
  uint32_t lane[lanes] = {}, last[lanes] = {};
  absorb(reinterpret_cast<const uint32_t*>(bytes), blocks, lane);
  if (rest > 0) std::memcpy(last, bytes + blocks * block, static_cast<size_t>(rest));
  absorb(last, 1, lane);
  uint64_t all = static_cast<uint64_t>(tensor.bytes());
  for (int64_t i = 0; i < lanes; i += 2)
    all = combine(all, (uint64_t{lane[i]} << 32) | lane[i + 1]);
  return all;
}

}  // namespace limbic
