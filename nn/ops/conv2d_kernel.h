#pragma once
#include "nn/kernel.h"
#include "nn/ops/conv2d.h"

namespace limbic {

/// How a convolution is computed: oneDNN's direct primitives or our Winograd (nn/winograd), chosen
/// for forward and for the data gradient each, by timing or by a fixed rule.
std::unique_ptr<Kernel> compile_conv2d(const Conv2d& op, KernelBuilder& builder);

}  // namespace limbic
