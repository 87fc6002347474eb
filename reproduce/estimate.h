#pragma once
#include "limbic/reproduce/sets.h"

namespace limbic::reproduce {

/// How long the study will take on this machine, from a step of each training, a pass of each CNN,
/// some pictures decoded and one small SVM, each measured now. Baselines and grids are not in it.
Estimate estimate(const Options& options, const Sets& sets, const std::vector<Round>& rounds);
/// "3 h 20 min".
std::string duration(double seconds);

}  // namespace limbic::reproduce
