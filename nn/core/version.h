#pragma once
#include <string>

namespace limbic {

/// Limbic's own version, "0.9.0": CMakeLists.txt is the one place that says it.
std::string version();

/// One line for each library that core computes with: its version and the kernels that it chose on
/// this processor, "OpenBLAS 0.3.21, kernels for Zen".
std::string library_versions();

}  // namespace limbic
