#pragma once
#include <map>
#include <string>
#include <vector>

#include "limbic/svm/libsvm_format.h"

namespace limbic::cli {

/// LIBSVM text, or a .safetensors file with "features" (N,D) F32 and "labels" (N), as extract
/// writes; for regression with "targets" (N) F32 or F64 instead.
svm::SvmData read_svm_input(const std::string& path, const svm::SvmDataOptions& options = {});

/// "LABEL=WEIGHT" texts by label; throws Error for any other text.
std::map<int, double> class_weights(const std::vector<std::string>& texts);

/// LIBSVM's flags in a form that the argument parser knows: "-w1 2" and "-w-1 0.5" become
/// "--class-weight=1=2" and "--class-weight=-1=0.5"; "-log2c -5,15,2" becomes "--log2c=-5,15,2".
std::vector<std::string> rewrite_libsvm_flags(const std::vector<std::string>& arguments);

}  // namespace limbic::cli
