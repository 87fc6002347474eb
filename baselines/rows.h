#pragma once
// The seven rows; each stands in the file of its name, with what its source says and our reading.
#include "limbic/baselines/baselines.h"

namespace limbic::baselines {

Row sift_row();
Row hog_row();
Row sentibank_row();
Row deepsentibank_row();
Row alexnet_row();
Row binary_assisted_row();
Row liteemo_row();

/// For rows that need nothing but pictures.
inline std::string needs_nothing(const Setting&) { return ""; }

}  // namespace limbic::baselines
