#pragma once
#include <string>

#include "svm/libsvm_format.h"

namespace limbic::cli {

/// LIBSVM text, or a .safetensors file with "features" (N,D) and "labels" (N), as extract writes.
SvmData read_svm_input(const std::string& path, int64_t min_features = 0);

/// "svm-train -w1 2 -w-1 0.5 ..." as LIBSVM writes it, in a form that the argument parser knows:
/// "--class-weight 1=2 --class-weight -1=0.5".
std::vector<std::string> rewrite_class_weights(const std::vector<std::string>& arguments);

}  // namespace limbic::cli
