#include "limbic/baselines/chosen_svm.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

#include "limbic/svm/cross_validation.h"
#include "limbic/svm/products.h"
#include "limbic/svm/sweep.h"

namespace limbic::baselines {
namespace {

std::vector<int> as_int(const std::vector<int64_t>& labels) {
  return {labels.begin(), labels.end()};
}

LinearSvmOptions linear_options(const SvmCandidates& candidates, double C) {
  return {.C = C, .max_passes = 300, .seed = candidates.seed};
}

}  // namespace

Folds make_folds(const std::vector<int64_t>& train, const std::vector<int64_t>& validation,
                 uint64_t seed) {
  Folds out{train, {}, 1};
  if (!validation.empty()) {
    out.fold.assign(train.size(), -1);
    out.fold.resize(train.size() + validation.size(), 0);
    out.labels.insert(out.labels.end(), validation.begin(), validation.end());
    return out;
  }
  out.count = static_cast<int>(std::min<size_t>(5, train.size()));
  out.fold = svm::deal_folds(as_int(train), out.count, seed);
  return out;
}

double held_out_accuracy(
    const Folds& folds,
    const std::function<std::vector<int64_t>(const std::vector<int64_t>& learning,
                                             const std::vector<int64_t>& held_out)>& learn) {
  int64_t right = 0, all = 0;
  for (int f = 0; f < folds.count; ++f) {
    std::vector<int64_t> learning, held_out;
    for (size_t i = 0; i < folds.fold.size(); ++i)
      (folds.fold[i] == f ? held_out : learning).push_back(static_cast<int64_t>(i));
    const std::vector<int64_t> said = learn(learning, held_out);
    for (size_t i = 0; i < said.size(); ++i)
      right += said[i] == folds.labels[static_cast<size_t>(held_out[i])];
    all += std::ssize(held_out);
  }
  return static_cast<double>(right) / static_cast<double>(std::max<int64_t>(1, all));
}

std::string held_out_text(double accuracy, const Features& validation) {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text << "(" << std::fixed << std::setprecision(1) << 100 * accuracy << " % of "
       << (validation.labels.empty() ? "the folds' pictures)" : "the validation pictures)");
  return text.str();
}

ChosenSvm::ChosenSvm(const Features& train, const Features& validation, int64_t classes,
                     const SvmCandidates& candidates) {
  scaler_ = svm::fit_scaler(
      train.x, {{"features", 0, train.x.dim(1)}},
      {.mode = candidates.standardise ? svm::ScaleMode::standard : svm::ScaleMode::none});
  scales_ = candidates.standardise;
  const Tensor own = scaled(train.x);
  const Tensor all = stack_rows(own, validation.labels.empty() ? Tensor() : scaled(validation.x));
  const Folds folds = make_folds(train.labels, validation.labels, candidates.seed);
  double best_linear = 0, best_rbf = 0;
  const auto better = [&](double accuracy, double C, bool linear) {
    if (accuracy <= accuracy_) return;
    accuracy_ = accuracy;
    best_linear = linear ? C : 0;
    best_rbf = linear ? 0 : C;
  };
  for (const double C : candidates.linear_C)
    better(held_out_accuracy(folds,
                             [&](const auto& learning, const auto& held_out) {
                               std::vector<int64_t> labels;
                               for (const int64_t i : learning)
                                 labels.push_back(folds.labels[static_cast<size_t>(i)]);
                               return train_one_vs_rest(svm::take_rows(all, learning), labels,
                                                        classes, linear_options(candidates, C))
                                   .predict(svm::take_rows(all, held_out));
                             }),
           C, true);
  if (!candidates.rbf_C.empty()) {
    const svm::SweepOptions o{.kernels = {{{1.0}, svm::gamma_scale(scaler_)}},
                              .C = candidates.rbf_C,
                              .fold = folds.fold,
                              .svc = {}};
    const std::vector<Tensor> blocks{all};
    svm::sweep(blocks, as_int(folds.labels), o, [&](const svm::SweepCell& cell) {
      int64_t right = 0, held_out = 0;
      for (size_t i = 0; i < folds.fold.size(); ++i) {
        if (folds.fold[i] < 0) continue;
        right += cell.predicted[i] == folds.labels[i];
        ++held_out;
      }
      better(static_cast<double>(right) / static_cast<double>(std::max<int64_t>(1, held_out)),
             cell.C, false);
    });
  }
  require(best_linear > 0 || best_rbf > 0, "SVM: there is no C to choose from");
  if (best_linear > 0)
    linear_ =
        train_one_vs_rest(own, train.labels, classes, linear_options(candidates, best_linear));
  else
    rbf_ = svm::train_svc(
        own, as_int(train.labels),
        {.C = best_rbf, .gamma_rule = svm::GammaRule::value, .gamma = svm::gamma_scale(scaler_)});
  description_ = str_cat(linear_ ? "linear" : "RBF", " SVM, C ", std::max(best_linear, best_rbf),
                         " ", held_out_text(accuracy_, validation));
}

// Without a copy where there is nothing to scale: a pyramid of words is wide.
Tensor ChosenSvm::scaled(const Tensor& x) const {
  return scales_ ? svm::apply_scaler(scaler_, x) : x;
}

std::vector<int64_t> ChosenSvm::predict(const Tensor& x) const {
  if (x.empty()) return {};
  if (linear_) return linear_->predict(scaled(x));
  const std::vector<int> labels = svm::predict(*rbf_, scaled(x));
  return {labels.begin(), labels.end()};
}

}  // namespace limbic::baselines
