#pragma once
#include <array>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "limbic/io/picture.h"

namespace limbic::io {

/// What a picture looks like, in few bytes: equal for a copy that was scaled, recompressed, made
/// brighter or mirrored, and near for one that lost a little at its border.
struct Look {
  /// Signs of the 63 lowest frequencies of a 32x32 grey picture's cosine transform, the mean apart;
  /// and those of the mirrored picture. Source: Zauner, "Implementation and benchmarking of
  /// perceptual image hash functions", 2010.
  uint64_t signs = 0, mirrored = 0;
  std::array<int8_t, 256> small{};  ///< 16x16, grey, mean 0; its root of squares is 512 or so.
  bool flat = false;                ///< Of one colour, or nearly: it looks like nothing.
};
Look look_of(const Picture& picture);

/// Whether one is a copy of the other: at most 10 signs differ, and the small pictures correlate by
/// 0.92 or more, as they are or mirrored. Flat pictures are nobody's copy.
bool look_alike(const Look& a, const Look& b);

/// Pairs (i, j) of a[i] and b[j] that look alike; an empty look is like none. Each row of `a` is
/// compared with all of `b`: 20,000 x 3,000 take a tenth of a second.
std::vector<std::pair<int64_t, int64_t>> near_duplicates(std::span<const std::optional<Look>> a,
                                                         std::span<const std::optional<Look>> b);

}  // namespace limbic::io
