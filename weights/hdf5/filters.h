#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "limbic/weights/hdf5/object.h"

namespace limbic::weights {

/// What was done to a chunk before it was written, in order (HDF5 File Format Specification,
/// IV.A.2.l): deflate (zlib) and shuffle, which puts first bytes of all elements first.
class Hdf5Filters {
 public:
  Hdf5Filters() = default;
  /// Throws Error, naming it, for any other filter.
  Hdf5Filters(const Hdf5Bytes& file, const Hdf5Message& message);

  bool empty() const { return steps_.empty(); }
  /// Undoes all filters whose bit in `skipped` is not set: `dst.size()` bytes come out, no more
  /// and no fewer, or it throws Error. `element`: bytes of an element. `address` is for messages.
  void undo(const Hdf5Bytes& file, std::span<const uint8_t> src, uint64_t address, uint32_t skipped,
            uint64_t element, std::span<uint8_t> dst) const;

 private:
  enum class Step { deflate, shuffle };
  std::vector<Step> steps_;
};

}  // namespace limbic::weights
