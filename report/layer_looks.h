#pragma once
#include <vector>

#include "limbic/report/report.h"
#include "limbic/train/look.h"

namespace limbic::report {

/// What was seen in a network while it trained, for a page: every layer as it is now, the spread of
/// gradients and the dead ReLUs step by step, and each layer's histograms, a column a look. Nothing
/// without looks.
std::vector<Report::Section> look_sections(const std::vector<train::Look>& looks);

}  // namespace limbic::report
