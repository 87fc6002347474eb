#pragma once
#include "limbic/reproduce/study.h"

namespace limbic::reproduce {

/// Something that the paper says, and what these pictures say of it.
struct Claim {
  std::string text;      ///< "An SVM in place of the dense layer helps (alpha)".
  std::string printed;   ///< "+0.95"; empty: no number is printed.
  std::string set;       ///< Key of the set.
  std::string compared;  ///< "best alpha svm against best alpha dense".
  std::optional<Comparison> comparison;
  std::optional<Measure> measure;  ///< Of claims that name an accuracy alone.
  std::string not_run;             ///< "needs ..."; the others are empty then.

  /// "holds", "the reverse holds", "no difference shown" (McNemar's p > 0.05), or "" of a measure.
  std::string verdict() const;
};

std::vector<Claim> claims_of(const Study& study);

/// What the paper's tables call a set: "IE"; "primary set" where that has other classes than Image
/// Emotion.
std::string heading_of(const Study& study, const std::string& key);

}  // namespace limbic::reproduce
