#pragma once
#include <cstdint>
#include <vector>

namespace limbic {

/// One buffer's size and the steps [first, last] of a run in which it must hold its contents.
struct Lifetime {
  int64_t bytes = 0;
  int first = 0, last = 0;
};

struct ArenaLayout {
  std::vector<int64_t> offsets;  ///< Of each buffer, multiples of 64.
  int64_t bytes = 0;             ///< Of the whole arena.
};

/// Places buffers so that no two whose lifetimes overlap share a byte. Greedy by size, each at the
/// lowest gap that fits (Pisarchyk and Lee, "Efficient memory management for deep neural net
/// inference", 2020, greedy by size).
ArenaLayout lay_out(const std::vector<Lifetime>& buffers);

}  // namespace limbic
