#include "limbic/svm/cross_validation.h"

#include <algorithm>
#include <numeric>

#include "limbic/core/random.h"
#include "limbic/svm/platt.h"

namespace limbic::svm {
namespace {

std::vector<int64_t> count_up(int64_t n) {
  std::vector<int64_t> out(static_cast<size_t>(n));
  std::iota(out.begin(), out.end(), int64_t{0});
  return out;
}

void check_folds(int folds, int64_t rows) {
  require(folds >= 2 && folds <= rows, "SVM: expected 2 folds to as many as the ", rows,
          " rows, got ", folds);
}

// Classes with the samples of other folds than `left_out`; `sample` gets the others.
ClassRows training_part(const ClassRows& classes, std::span<const int> fold, int left_out,
                        HeldOut& held_out) {
  ClassRows training;
  for (size_t c = 0; c < classes.labels.size(); ++c) {
    std::vector<int64_t> kept;
    for (int64_t sample : classes.members[c]) {
      if (fold[static_cast<size_t>(sample)] != left_out) {
        kept.push_back(sample);
      } else {
        held_out.samples.push_back(sample);
        held_out.truth.push_back(classes.labels[c]);
      }
    }
    if (kept.empty()) continue;
    training.labels.push_back(classes.labels[c]);
    training.members.push_back(std::move(kept));
  }
  return training;
}

}  // namespace

void check_fold_numbers(std::span<const int> fold, int64_t samples) {
  require(std::ssize(fold) == samples, "SVM: ", samples, " rows but ", fold.size(), " folds");
  for (int f : fold)
    require(f >= -1 && f < samples, "SVM: expected folds from -1 to ", samples - 1, ", got ", f);
}

std::vector<int> stratified_folds(const ClassRows& classes, int64_t samples, int folds,
                                  Random random) {
  require(folds >= 1, "SVM: expected 1 fold at least, got ", folds);
  for (const auto& members : classes.members) check_rows(members, samples);
  std::vector<int> fold(static_cast<size_t>(samples));
  int next = 0;
  for (std::vector<int64_t> members : classes.members) {
    random.shuffle(members);
    for (int64_t sample : members) fold[static_cast<size_t>(sample)] = next++ % folds;
  }
  return fold;
}

void for_each_fold(const TrainingKernel& kernel, const ClassRows& classes,
                   const SvcOptions& options, std::span<const int> fold,
                   const std::function<void(const HeldOut&)>& use, FoldAlphas* alphas) {
  check_fold_numbers(fold, kernel.samples());
  const int folds = fold.empty() ? 0 : *std::max_element(fold.begin(), fold.end()) + 1;
  if (alphas) alphas->resize(static_cast<size_t>(folds));
  for (int f = 0; f < folds; ++f) {
    HeldOut held_out;
    const ClassRows training = training_part(classes, fold, f, held_out);
    if (held_out.samples.empty() || training.size() == 0) continue;
    held_out.model = solve_one_vs_one(kernel, training, options,
                                      alphas ? &(*alphas)[static_cast<size_t>(f)] : nullptr);
    if (options.pairwise_probability)
      fit_pairwise_sigmoids(kernel, training, options, held_out.model);
    held_out.decisions = decisions_from_kernel(
        held_out.model, kernel.values(held_out.samples, held_out.model.support_indices));
    use(held_out);
  }
}

std::vector<int> deal_folds(std::span<const int> labels, int folds, uint64_t seed) {
  const auto n = static_cast<int64_t>(labels.size());
  check_folds(folds, n);
  return stratified_folds(group_by_class(labels, count_up(n)), n, folds,
                          Random(seed, hash_name("svm/cross_validation")));
}

std::vector<int> cross_predict(const Tensor& x, std::span<const int> labels,
                               const SvcOptions& options, int folds, bool* converged) {
  check_training(x, labels, options);
  const std::vector<int> fold = deal_folds(labels, folds, options.seed);
  const SortedSamples samples = sort_by_class(labels);
  std::vector<int> fold_of_sample;
  for (int64_t row : samples.order) fold_of_sample.push_back(fold[static_cast<size_t>(row)]);
  const TrainingKernel kernel(x, choose_kernel(x, options), samples.order);
  std::vector<int> out(labels.size(), no_label);
  for_each_fold(kernel, samples.classes, options, fold_of_sample, [&](const HeldOut& held_out) {
    const SvcModel& model = held_out.model;
    const std::vector<int> predicted =
        options.pairwise_probability
            ? most_probable(model, pairwise_probabilities_from_decisions(model, held_out.decisions))
            : vote(model, held_out.decisions);
    for (size_t i = 0; i < predicted.size(); ++i)
      out[static_cast<size_t>(samples.order[static_cast<size_t>(held_out.samples[i])])] =
          predicted[i];
    if (converged) *converged = *converged && model.converged();
  });
  return out;
}

double cross_validate(const Tensor& x, std::span<const int> labels, const SvcOptions& options,
                      int folds, bool* converged) {
  const std::vector<int> predicted = cross_predict(x, labels, options, folds, converged);
  int64_t right = 0;
  for (size_t i = 0; i < predicted.size(); ++i) right += predicted[i] == labels[i];
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

std::vector<double> cross_validate(const Tensor& x, std::span<const double> targets,
                                   const SvrOptions& wanted, int folds, uint64_t seed,
                                   bool* converged) {
  check_training(x, targets, wanted);
  SvrOptions options = wanted;
  options.fit_error = false;
  options.gamma = choose_kernel(x, wanted).gamma;
  options.gamma_rule = GammaRule::value;
  const int64_t n = x.dim(0);
  check_folds(folds, n);
  std::vector<int64_t> order = count_up(n);
  Random(seed, hash_name("svm/cross_validation")).shuffle(order);
  std::vector<double> out(targets.size());
  for (int64_t f = 0; f < folds; ++f) {
    std::vector<int64_t> inside, outside;
    std::vector<double> inside_targets;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t row = order[static_cast<size_t>(i)];
      if (i % folds == f) {
        outside.push_back(row);
      } else {
        inside.push_back(row);
        inside_targets.push_back(targets[static_cast<size_t>(row)]);
      }
    }
    const SvrModel model = train_svr(take_rows(x, inside), inside_targets, options);
    if (converged) *converged = *converged && model.converged;
    const auto values = predict(model, take_rows(x, outside));
    for (size_t i = 0; i < outside.size(); ++i) out[static_cast<size_t>(outside[i])] = values[i];
  }
  return out;
}

}  // namespace limbic::svm
