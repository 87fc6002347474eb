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

/// The methods worth comparing on the primary set: name for a reader, and in SetResult::answers.
std::vector<std::pair<std::string, std::string>> main_methods(const Study& study);
/// Two of them, each way about, on the same pictures.
struct Pair {
  std::string first, second;
  Comparison comparison;
};
std::vector<Pair> pairs_of(const Study& study);

/// What the paper's tables call a set: "IE"; "primary set" where that has other classes than Image
/// Emotion.
std::string heading_of(const Study& study, const std::string& key);

}  // namespace limbic::reproduce
