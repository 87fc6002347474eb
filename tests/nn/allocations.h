#pragma once
#include <cstdint>

namespace limbic {

/// What this process has asked of the heap since `start_counting`, told apart by who asked: oneDNN
/// from within dnnl_primitive_execute, or everybody else, which is our code and what it calls.
///
/// oneDNN 2.x builds a small map of the arguments inside each dnnl_primitive_execute, some dozens
/// of bytes a piece; that is beyond a caller's reach, so it is counted apart.
struct Allocations {
  int64_t ours = 0;        ///< Outside of oneDNN's primitives, of any size.
  int64_t in_onednn = 0;   ///< Within them.
  int64_t largest = 0;     ///< Bytes of the largest, of either kind.
  int64_t primitives = 0;  ///< oneDNN primitives executed.
};

/// malloc and its family are replaced in this executable (allocations.cpp); under a sanitizer,
/// which replaces them itself, nothing is counted.
bool can_count_allocations();
void start_counting();
Allocations stop_counting();

}  // namespace limbic
