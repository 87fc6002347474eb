#include <algorithm>

#include "limbic/core/error.h"
#include "limbic/core/random.h"
#include "limbic/reproduce/study.h"

namespace limbic::reproduce {
namespace {

const std::vector<std::vector<int64_t>>& answers_of(const SetResult& set,
                                                    const std::string& method) {
  const auto found = set.answers.find(method);
  require(found != set.answers.end(), "reproduce: nobody asked ", method);
  return found->second;
}

constexpr uint64_t bootstrap_seed = 1;

}  // namespace

std::string method_of(const emotion::Fusion& fusion, bool svm) {
  const char* classifier = svm ? " svm" : " dense";
  if (fusion.alpha && fusion.beta)
    return str_cat(*fusion.beta == 0 ? "without S, alpha " : "alpha, beta ", *fusion.alpha,
                   *fusion.beta == 0 ? "" : str_cat(" ", *fusion.beta), classifier);
  return fusion.alpha ? str_cat("alpha ", *fusion.alpha, classifier)
                      : str_cat("beta ", *fusion.beta, classifier);
}

std::string method_of_C(double C, bool alpha) {
  return str_cat("C ", C, alpha ? " best alpha" : " best beta");
}

Measure measure(const SetResult& set, const std::string& method) {
  const auto& answers = answers_of(set, method);
  const size_t n = set.data.samples.size(), classes = set.data.classes.size();
  Measure out;
  out.confusion.assign(classes, std::vector<int64_t>(classes));
  std::vector<double> right(n), rounds;
  std::vector<int64_t> asked(n);
  for (const auto& labels : answers) {
    int64_t own_right = 0, own = 0;
    for (size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] < 0) continue;
      const int64_t truth = set.data.samples[i].label;
      ++out.confusion[static_cast<size_t>(truth)][static_cast<size_t>(labels[i])];
      ++asked[i];
      ++own;
      own_right += labels[i] == truth;
      right[i] += labels[i] == truth;
    }
    if (own > 0) rounds.push_back(static_cast<double>(own_right) / static_cast<double>(own));
  }
  std::vector<double> shares;
  for (size_t i = 0; i < n; ++i)
    if (asked[i] > 0) shares.push_back(right[i] / static_cast<double>(asked[i]));
  out.pictures = std::ssize(shares);
  for (double share : shares) out.accuracy += share / static_cast<double>(shares.size());
  out.interval = statistics::bootstrap(shares, bootstrap_seed);
  out.rounds = statistics::spread(rounds);
  return out;
}

Comparison compare(const SetResult& set, const std::string& a, const std::string& b,
                   const std::vector<Round>& rounds) {
  const auto &of_a = answers_of(set, a), &of_b = answers_of(set, b);
  statistics::Right right_a, right_b;
  for (size_t r = 0; r < rounds.size(); ++r) {
    if (rounds[r].seed != rounds[0].seed || r >= of_a.size() || r >= of_b.size()) continue;
    // Sets that every round is tested on whole count once.
    if (r > 0 && set.key != "fi") break;
    for (size_t i = 0; i < of_a[r].size(); ++i) {
      if (of_a[r][i] < 0 || of_b[r][i] < 0) continue;
      right_a.push_back(of_a[r][i] == set.data.samples[i].label);
      right_b.push_back(of_b[r][i] == set.data.samples[i].label);
    }
  }
  return {statistics::accuracy(right_a) - statistics::accuracy(right_b),
          statistics::bootstrap_difference(right_a, right_b, bootstrap_seed),
          statistics::mcnemar(right_a, right_b)};
}

}  // namespace limbic::reproduce
