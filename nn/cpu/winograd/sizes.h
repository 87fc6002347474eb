#pragma once
// Sizes of scratch memory, and shares of it and of work.
#include <cstdint>

#include "limbic/nn/cpu/winograd/transforms.h"

namespace limbic::winograd {

constexpr int64_t line = 16;  // floats of a cache line

inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

/// A transform touches one line of each of up to 36 planes. An odd number of lines between them
/// spreads those over the sets of a cache, where a power of two would put them all into one.
inline int64_t plane_floats(int64_t floats) { return (divide_up(floats, line) | 1) * line; }

/// Part `part` of `parts` of a range, as equal as can be.
inline Range share(Range range, int64_t part, int64_t parts) {
  return {range.begin + range.size() * part / parts,
          range.begin + range.size() * (part + 1) / parts};
}

}  // namespace limbic::winograd
