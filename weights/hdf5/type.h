#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "limbic/core/tensor.h"
#include "limbic/weights/hdf5/object.h"

namespace limbic::weights {

/// What one element is (HDF5 File Format Specification, IV.A.2.d).
struct Hdf5Type {
  enum class Kind { number, text, long_text, other } kind = Kind::other;
  std::optional<DType> dtype;  ///< Of a number that a Tensor can hold.
  uint64_t size = 0;           ///< Bytes of an element in the file.
  std::string name;            ///< In messages: "64-bit floating point, big endian".
};

/// Throws Error for a type that is damaged, not for one that is only unknown.
Hdf5Type hdf5_type(const Hdf5Bytes& file, const Hdf5Message& message);

/// The dimensions; empty for a scalar. A null dataspace has one dimension of 0. Throws Error where
/// their product overflows (IV.A.2.b).
Shape hdf5_shape(const Hdf5Bytes& file, const Hdf5Message& message);

}  // namespace limbic::weights
