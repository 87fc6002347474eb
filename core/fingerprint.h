#pragma once
#include <cstdint>

#include "limbic/core/tensor.h"

namespace limbic {

/// 64 bits that differ between two contents, however they came about (but for chance, 2^-32 or
/// less): what tells a plan whether a parameter has changed since it was packed, be it by another
/// checkpoint, a copy, or somebody's pointer. One pass over the memory, which it leaves in the
/// cache. Not for anyone who wants to deceive: that is sha256's (core/file.h).
uint64_t fingerprint(const Tensor& tensor);

}  // namespace limbic
