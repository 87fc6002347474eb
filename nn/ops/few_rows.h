#pragma once
#include <memory>

#include "limbic/nn/graph/kernel.h"

namespace limbic {

/// Linear in inference for few samples: (N,in) -> (N,out), weights (out,in) as they are. They are
/// read once, in order, by all threads, as fast as memory gives them. A value's bits do not depend
/// on the other samples nor on threads.
constexpr int64_t few_rows = 4;
std::unique_ptr<Kernel> linear_of_few_rows(const KernelBuilder& builder, bool has_bias);

}  // namespace limbic
