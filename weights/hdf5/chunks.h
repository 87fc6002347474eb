#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "limbic/core/tensor.h"
#include "limbic/weights/hdf5/filters.h"

namespace limbic::weights {

/// A data set that is stored in chunks.
struct Hdf5Chunked {
  const Shape& shape;
  uint64_t element;  ///< Bytes of one.
  const Hdf5Filters& filters;
};

/// Fills `dst`, the whole data set, from its chunks. `layout` stands behind version and class of
/// the layout message (HDF5 File Format Specification, IV.A.2.i). Indexes of versions 4 and 5
/// are those of data sets that cannot grow: one chunk, implicit, fixed array. Throws Error,
/// beginning with `where` for what concerns the data set, also where a chunk is missing.
void read_hdf5_chunks(const Hdf5Bytes& file, Hdf5Cursor layout, int version,
                      const Hdf5Chunked& data, const std::string& where, std::span<uint8_t> dst);

}  // namespace limbic::weights
