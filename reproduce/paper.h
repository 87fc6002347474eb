#pragma once
// reproduce: the paper's tables and figures on the pictures that one has, and its claims, each with
// an interval.
#include <optional>
#include <string>
#include <vector>

namespace limbic::reproduce {

/// A set of pictures that the paper uses.
struct PaperSet {
  std::string key;     ///< Of the option: "fi", "artphoto", "abstract", "emotionroi", "own".
  std::string column;  ///< Heading in tables 1 and 2.
  /// Table 1's counts of amusement, anger, awe, contentment, disgust, excitement, fear, sadness;
  /// none where the table has a dash.
  std::vector<std::optional<int64_t>> counts;
  int64_t total = 0;
};
/// In table 1's order; the first is the primary set.
const std::vector<PaperSet>& paper_sets();

/// Table 2 in per cent: accuracy of a set at an alpha (with S) or at a beta; none: not printed.
std::optional<double> table2_alpha(const std::string& set, double alpha);
std::optional<double> table2_beta(const std::string& set, double beta);

/// An accuracy that somebody has published on FI, eight classes, in per cent.
struct Published {
  std::string method;
  double accuracy = 0;
};
/// Later than the paper, other splits than ours.
const std::vector<Published>& published_later();

/// Figures of the text, in per cent.
namespace printed {
constexpr double single_low = 64.14, single_high = 65.06;  // which is whose, the text says twice
constexpr double alpha_dense = 66.80, alpha_svm = 67.75;   // alpha = 0.75
constexpr double beta_dense = 66.71, beta_svm = 67.41;     // beta = 0
constexpr double liteemo = 61.67;
}  // namespace printed

}  // namespace limbic::reproduce
