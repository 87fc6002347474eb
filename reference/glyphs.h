#pragma once
#include "array.h"

namespace limbic::reference {

/// splitmix64 (Steele, Lea and Flood 2014): the same numbers from a seed with every compiler.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next();
  /// Uniform in [low, high).
  double uniform(double low, double high);
  /// Uniform in {0, ..., n-1}; n > 0.
  int64_t below(int64_t n) { return static_cast<int64_t>(next() % static_cast<uint64_t>(n)); }

 private:
  uint64_t state_;
};

struct Glyphs {
  Array images;                 ///< (N,1,28,28), ink near 1 on paper near 0.
  std::vector<int64_t> labels;  ///< N digits, 0 to 9.
};

/// Digits in random places, pale or dark, under noise.
Glyphs draw_glyphs(int64_t n, Random& random);

}  // namespace limbic::reference
