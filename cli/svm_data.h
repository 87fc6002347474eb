#pragma once
#include <string>

#include "limbic/cli/console.h"
#include "limbic/svm/libsvm_format.h"

namespace limbic::cli {

/// LIBSVM text, or a .safetensors file with "features" (N,D) F32 and "labels" (N), as extract
/// writes; for regression with "targets" (N) F32 or F64 instead.
svm::SvmData read_svm_input(const std::string& path, const svm::SvmDataOptions& options = {});

/// Says where single precision is too coarse for a feature.
void warn_if_coarse(const Common& common, const std::string& path, const svm::SvmData& data);

}  // namespace limbic::cli
