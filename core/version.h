#pragma once
#include <string>

namespace limbic {

/// Limbic's own version, "0.9.0": CMakeLists.txt is the one place that says it.
std::string version();

/// Highway's version and the kernels that it chose on this processor: "Highway 1.0.3, kernels for
/// AVX2".
std::string highway_version();

}  // namespace limbic
