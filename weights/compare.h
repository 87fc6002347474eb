#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "limbic/core/tensor.h"

namespace limbic::weights {

/// How far one tensor of a comparison is from its reference.
struct TensorDifference {
  std::string name;
  double max = 0, mean = 0;  ///< Of |a - b|.
  double relative = 0;       ///< ||a - b|| / ||b||; infinite where one is NaN or infinite alone.
  std::string reason;        ///< Why they cannot be compared: "(3,4) and (3,5)"; else empty.
};

struct Comparison {
  std::vector<TensorDifference> differences;  ///< In the order of the names.
  /// The first one that is farther than the tolerance or cannot be compared.
  std::optional<size_t> first_apart;
};

/// Compares tensors of equal names with their references, in the order of `names`. F64, F32, F16
/// and BF16 are compared by value with one another; a tensor that is missing, of another shape or
/// of integers parts, and so does NaN, even from NaN. `tolerance` bounds the relative difference.
Comparison compare_tensors(const std::vector<std::string>& names,
                           const std::map<std::string, Tensor>& ours,
                           const std::map<std::string, Tensor>& reference, double tolerance);

}  // namespace limbic::weights
