#include "limbic/nn/compile/arena.h"

#include <algorithm>
#include <numeric>

namespace limbic {

ArenaLayout lay_out(const std::vector<Lifetime>& buffers) {
  constexpr int64_t alignment = 64;
  std::vector<size_t> order(buffers.size()), placed;
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return buffers[a].bytes > buffers[b].bytes; });
  ArenaLayout layout{std::vector<int64_t>(buffers.size(), 0), 0};
  for (size_t i : order) {
    const Lifetime& own = buffers[i];
    int64_t offset = 0;
    for (size_t j : placed) {  // sorted by offset
      const Lifetime& other = buffers[j];
      if (other.last < own.first || own.last < other.first) continue;
      if (layout.offsets[j] >= offset + own.bytes) break;
      const int64_t end = layout.offsets[j] + other.bytes;
      offset = std::max(offset, (end + alignment - 1) / alignment * alignment);
    }
    layout.offsets[i] = offset;
    layout.bytes = std::max(layout.bytes, offset + own.bytes);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), i,
                         [&](size_t a, size_t b) { return layout.offsets[a] < layout.offsets[b]; }),
        i);
  }
  return layout;
}

}  // namespace limbic
