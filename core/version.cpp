#include "limbic/core/version.h"

#include <hwy/highway.h>

#include "limbic/core/error.h"

namespace limbic {

std::string version() { return LIMBIC_VERSION; }

std::string highway_version() {
  const int64_t targets = hwy::SupportedTargets(), best = targets & -targets;
  return str_cat("Highway ", HWY_MAJOR, '.', HWY_MINOR, '.', HWY_PATCH, ", kernels for ",
                 hwy::TargetName(best));
}

}  // namespace limbic
