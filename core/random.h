#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace limbic {

/// Philox 4x32-10, a counter-based generator: the same (key, counter) gives the same four words on
/// any machine and thread, so randomness never depends on order. Source: Salmon, Moraes, Dror,
/// Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter_high, uint64_t counter_low);

/// A stream of numbers over Philox: `Random(seed, stream)` names the stream (a sample, a node, an
/// epoch), and equal names give equal streams.
class Random {
 public:
  explicit Random(uint64_t seed, uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  uint32_t next();
  /// Uniform in [0, 1).
  double uniform();
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform in {0, ..., n-1}; n > 0.
  int64_t below(int64_t n);
  /// Standard normal (Box-Muller).
  double normal();
  /// Fisher-Yates.
  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i)
      std::swap(items[i - 1], items[static_cast<std::size_t>(below(static_cast<int64_t>(i)))]);
  }

 private:
  uint64_t seed_, stream_, counter_ = 0;
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
};

/// One well-mixed key from two, to name streams: combine(combine(seed, epoch), sample).
uint64_t combine(uint64_t a, uint64_t b);
/// FNV-1a of a name, to make a stream of it.
uint64_t hash_name(const char* name);

}  // namespace limbic
