#include "limbic/reproduce/claims.h"

#include <algorithm>

#include "limbic/core/error.h"
#include "limbic/reproduce/paper.h"

namespace limbic::reproduce {
namespace {

class Claims {
 public:
  explicit Claims(const Study& study) : study_(study) {}

  std::vector<Claim> all() {
    const SetResult& fi = study_.sets[0];
    const double a_dense = study_.choices[0].alpha_dense, a = study_.choices[0].alpha_svm;
    single("Diff-CNN1 alone", "64.14 or 65.06", "diff1", "without S, alpha 1 dense");
    single("Diff-CNN2 alone", "65.06 or 64.14", "diff2", "without S, alpha 0 dense");
    measured("S alone, dense layer", "", "beta 1 dense");
    measured("S alone, SVM", "", "beta 1 svm");
    const std::string one = first_of(fi, {"diff1", "without S, alpha 1 dense"});
    const std::string two = first_of(fi, {"diff2", "without S, alpha 0 dense"});
    compared("X1 with S is better than Diff-CNN1 alone", "+1.22 or +2.14", "alpha 1 dense", one);
    compared("X2 with S is better than Diff-CNN2 alone", "+0.71 or -0.21", "alpha 0 dense", two);
    const std::string better = better_of(fi, one, two);
    compared("two CNNs with S are better than the better one alone", "+1.74",
             str_cat("alpha ", a_dense, " dense"), better);
    compared("two CNNs without S (equation 1 as printed) are better than the better one alone", "",
             str_cat("without S, alpha ", a_dense, " dense"), better);
    compared("S helps two CNNs, dense layer", "", str_cat("alpha ", a_dense, " dense"),
             str_cat("without S, alpha ", a_dense, " dense"));
    compared("S helps two CNNs, SVM", "", str_cat("alpha ", a, " svm"),
             str_cat("without S, alpha ", a, " svm"));
    compared("a chosen alpha is better than equal weights", "+0.18",
             str_cat("alpha ", a_dense, " dense"), "alpha 0.5 dense");
    compared("beta 0.5 is better than beta 0.25", "+1.38", "beta 0.5 dense", "beta 0.25 dense");
    compared("an SVM in place of the dense layer helps, alpha", "+0.95", "best alpha svm",
             "best alpha dense");
    compared("an SVM in place of the dense layer helps, beta", "+0.70", "best beta svm",
             "best beta dense");
    compared("C 1.5 is better than C 0.25", "", "C 1.5 best alpha", "C 0.25 best alpha");
    compared("C 1.5 is better than C 5", "", "C 1.5 best alpha", "C 5 best alpha");
    compared("alpha, beta, C and gamma chosen together are better than alpha and C alone", "",
             "grid svm", "best alpha svm");
    compared("a deep CNN is better than a shallow one", "", one, "shallow",
             "needs --shallow ARCH: a shallow CNN to train beside");
    for (const SetResult& set : study_.sets)
      compared("the fusion is better than LiteEmo on " + heading_of(study_, set.key),
               set.key == "fi"         ? "+6.08"
               : set.key == "artphoto" ? "+2"
                                       : "",
               "best alpha svm", "baseline liteemo", "needs the baseline liteemo", &set);
    return std::move(out_);
  }

 private:
  static std::string first_of(const SetResult& set, const std::vector<std::string>& methods) {
    for (const auto& m : methods)
      if (set.has(m)) return m;
    return "";
  }

  static std::string better_of(const SetResult& set, const std::string& a, const std::string& b) {
    if (a.empty() || b.empty()) return a.empty() ? b : a;
    return measure(set, a).accuracy >= measure(set, b).accuracy ? a : b;
  }

  void single(const std::string& text, const std::string& printed, const std::string& own,
              const std::string& instead) {
    const std::string method = first_of(study_.sets[0], {own, instead});
    measured(text + (method == own ? ", its own last layer" : ", a dense layer on its features"),
             printed, method);
  }

  void measured(const std::string& text, const std::string& printed, const std::string& method) {
    Claim claim{.text = text, .printed = printed, .set = study_.sets[0].key, .compared = method};
    if (method.empty() || !study_.sets[0].has(method))
      claim.not_run = "needs that CNN";
    else
      claim.measure = measure(study_.sets[0], method);
    out_.push_back(std::move(claim));
  }

  void compared(const std::string& text, const std::string& printed, const std::string& a,
                const std::string& b, const std::string& needs = "needs that CNN or value",
                const SetResult* of = nullptr) {
    const SetResult& set = of ? *of : study_.sets[0];
    Claim claim{.text = text, .printed = printed, .set = set.key, .compared = a + " against " + b};
    if (a == b) return;  // what was chosen is what it is compared with
    if (!set.has(a) || !set.has(b))
      claim.not_run = needs;
    else
      claim.comparison = compare(set, a, b, study_.rounds);
    out_.push_back(std::move(claim));
  }

  const Study& study_;
  std::vector<Claim> out_;
};

}  // namespace

std::vector<std::pair<std::string, std::string>> main_methods(const Study& study) {
  const SetResult& set = study.sets[0];
  std::vector<std::pair<std::string, std::string>> out;
  const auto add = [&](const std::string& name, const std::string& method) {
    if (set.has(method)) out.emplace_back(name, method);
  };
  add("Diff-CNN1", set.has("diff1") ? "diff1" : "without S, alpha 1 svm");
  add("Diff-CNN2", set.has("diff2") ? "diff2" : "without S, alpha 0 svm");
  add("S, SVM", "beta 1 svm");
  add("alpha, dense", "best alpha dense");
  add("alpha, SVM", "best alpha svm");
  add("beta, dense", "best beta dense");
  add("beta, SVM", "best beta svm");
  add("chosen together, SVM", "grid svm");
  for (const BaselineRow& b : study.baselines) add(b.row->method, "baseline " + b.row->name);
  return out;
}

std::vector<Pair> pairs_of(const Study& study) {
  const auto methods = main_methods(study);
  std::vector<Pair> out;
  for (const auto& [first, a] : methods)
    for (const auto& [second, b] : methods)
      if (a != b) out.push_back({first, second, compare(study.sets[0], a, b, study.rounds)});
  return out;
}

std::string heading_of(const Study& study, const std::string& key) {
  if (key == "fi" && study.classes != io::eight_emotions()) return "the primary set";
  for (const PaperSet& set : paper_sets())
    if (set.key == key) return set.column;
  return key;
}

std::string Claim::verdict() const {
  if (!comparison) return "";
  if (!comparison->test.differ()) return "no difference shown";
  return comparison->difference > 0 ? "holds" : "the reverse holds";
}

std::vector<Claim> claims_of(const Study& study) { return Claims(study).all(); }

}  // namespace limbic::reproduce
