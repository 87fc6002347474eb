#include "limbic/baselines/chosen_softmax.h"

#include "limbic/network/predictor.h"
#include "limbic/svm/products.h"

namespace limbic::baselines {
namespace {

std::vector<int64_t> most_probable(const emotion::SoftmaxClassifier& classifier, const Tensor& x) {
  const Tensor p = classifier.probabilities(x);
  std::vector<int64_t> out;
  for (int64_t i = 0; i < p.dim(0); ++i) out.push_back(network::argmax(p.rows(i, i + 1).values()));
  return out;
}

}  // namespace

ChosenSoftmax::ChosenSoftmax(const Features& train, const Features& validation, int64_t classes,
                             uint64_t seed) {
  require(!train.labels.empty(), "softmax: there is nothing to learn from");
  scaler_ = svm::fit_scaler(train.x, {{"features", 0, train.x.dim(1)}});
  const Tensor own = svm::apply_scaler(scaler_, train.x);
  const Tensor all = stack_rows(
      own, validation.labels.empty() ? Tensor() : svm::apply_scaler(scaler_, validation.x));
  const Folds folds = make_folds(train.labels, validation.labels, seed);
  double best = -1, decay = 0;
  for (const double candidate : {1e-3, 1e-2, 1e-1, 1.0}) {
    const double accuracy = held_out_accuracy(folds, [&](const auto& learning,
                                                         const auto& held_out) {
      std::vector<int64_t> labels;
      for (const int64_t i : learning) labels.push_back(folds.labels[static_cast<size_t>(i)]);
      return most_probable(emotion::train_softmax_classifier(svm::take_rows(all, learning), labels,
                                                             classes, {.weight_decay = candidate}),
                           svm::take_rows(all, held_out));
    });
    if (accuracy <= best) continue;
    best = accuracy;
    decay = candidate;
  }
  classifier_ =
      emotion::train_softmax_classifier(own, train.labels, classes, {.weight_decay = decay});
  description_ = str_cat("softmax, weight decay ", decay, " ", held_out_text(best, validation));
}

std::vector<int64_t> ChosenSoftmax::predict(const Tensor& x) const {
  if (x.empty()) return {};
  return most_probable(classifier_, svm::apply_scaler(scaler_, x));
}

}  // namespace limbic::baselines
