#pragma once
#include <string>
#include <vector>

#include "limbic/core/tensor.h"
#include "limbic/io/preset.h"

namespace limbic::network {

/// What becomes of pictures that cannot be used.
enum class Unusable {
  refuse,     ///< The first of them is an Error "PATH: reason".
  leave_out,  ///< The batch is of the others.
  keep_row,   ///< Their rows are zeros, so that the batch keeps its size.
};

struct FileBatch {
  Tensor images;                     ///< (n,3,crop,crop) f32, normalised by the preset.
  std::vector<std::string> reasons;  ///< Of each path: why it cannot be used; "" where it can.
};

/// Reads, decodes and prepares pictures, one on each thread. The batch is in memory as a whole: for
/// a data set there is io::Loader. Memory that runs out is no fault of a picture: std::bad_alloc
/// comes through.
FileBatch read_batch(const std::vector<std::string>& paths, const io::Preset& preset,
                     Unusable unusable);

}  // namespace limbic::network
