#include "nn/core/version.h"

#include <cblas.h>
#include <hwy/highway.h>

#include <sstream>

#include "nn/core/error.h"
#include "nn/core/gemm.h"

namespace limbic {

std::string version() { return LIMBIC_VERSION; }

std::string library_versions() {
  std::istringstream config(openblas_get_config());  // "OpenBLAS 0.3.21 DYNAMIC_ARCH ..."
  std::string name, number;
  config >> name >> number;
  const int64_t targets = hwy::SupportedTargets(), best = targets & -targets;
  return str_cat("OpenBLAS ", number, ", kernels for ", gemm_core(), "\nHighway ", HWY_MAJOR, '.',
                 HWY_MINOR, '.', HWY_PATCH, ", kernels for ", hwy::TargetName(best));
}

}  // namespace limbic
