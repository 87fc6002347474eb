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

/// Row::learn of a row whose `needs` says what is missing.
template <class LearntRow, Row (*row)()>
std::unique_ptr<Learnt> learn_row(const Setting& setting, const ProgressFunction& progress) {
  const Row own = row();
  const std::string missing = own.needs(setting);
  require(missing.empty(), own.method, ": ", missing);
  return std::make_unique<LearntRow>(setting, progress);
}

}  // namespace limbic::baselines
