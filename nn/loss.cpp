#include "limbic/nn/loss.h"

#include <algorithm>
#include <cmath>

namespace limbic {

double softmax_cross_entropy(const Tensor& logits, std::span<const int64_t> labels,
                             std::span<float> diff, const CrossEntropyOptions& options,
                             double normaliser) {
  require(logits.rank() == 2 && logits.dim(0) == std::ssize(labels) && logits.size() > 0,
          "cross-entropy: expected logits (", labels.size(), ",classes), one row a label, got ",
          to_string(logits.shape()));
  require(diff.empty() || std::ssize(diff) == logits.size(), "cross-entropy: diff has ",
          diff.size(), " values for logits ", to_string(logits.shape()));
  require(options.label_smoothing >= 0 && options.label_smoothing <= 1,
          "cross-entropy: label_smoothing must be in [0,1], got ", options.label_smoothing);
  const int64_t classes = logits.dim(1);
  const auto& weights = options.class_weights;
  require(weights.empty() || static_cast<int64_t>(weights.size()) == classes,
          "cross-entropy: ", weights.size(), " class weights for ", classes, " classes");
  const auto weight = [&](int64_t c) {
    return weights.empty() ? 1.0 : static_cast<double>(weights[static_cast<size_t>(c)]);
  };
  double own_weight = 0;
  for (int64_t label : labels) {
    require(label >= -1 && label < classes, "cross-entropy: label ", label, " of ", classes,
            " classes");
    own_weight += label >= 0 ? weight(label) : 0;
  }
  for (const float w : weights)
    require(w >= 0 && std::isfinite(w), "cross-entropy: a class weight is ", w);
  const bool is_left_out = std::all_of(labels.begin(), labels.end(), [](auto l) { return l < 0; });
  require(normaliser > 0 || own_weight > 0 || is_left_out,
          "cross-entropy: the class weights of these labels sum to 0");
  const double total_weight = normaliser > 0 ? normaliser : own_weight;
  const double smooth = options.label_smoothing / static_cast<double>(classes);
  double loss = 0;
  for (size_t n = 0; n < labels.size(); ++n) {
    const float* x = logits.data() + static_cast<int64_t>(n) * classes;
    float* dx = diff.empty() ? nullptr : diff.data() + n * static_cast<size_t>(classes);
    if (labels[n] < 0) {
      if (dx) std::fill(dx, dx + classes, 0.0f);
      continue;
    }
    const double largest = *std::max_element(x, x + classes);
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c) sum += std::exp(x[c] - largest);
    const double log_sum = largest + std::log(sum);
    const auto target = [&](int64_t c) {
      return weight(c) * (smooth + (c == labels[n] ? 1 - options.label_smoothing : 0));
    };
    double targets = 0;
    for (int64_t c = 0; c < classes; ++c) {
      targets += target(c);
      loss -= target(c) * (x[c] - log_sum) / total_weight;
    }
    if (!dx) continue;
    for (int64_t c = 0; c < classes; ++c)
      dx[c] = static_cast<float>((std::exp(x[c] - log_sum) * targets - target(c)) / total_weight);
  }
  return loss;
}

namespace {

// The mean of each(x, t), which gives {the loss, its derivative} of one element.
template <class Each>
double mean_loss(const char* what, const Tensor& predictions, const Tensor& targets,
                 std::span<float> diff, double normaliser, const Each& each) {
  require(predictions.shape() == targets.shape() && predictions.size() > 0, what, ": predictions ",
          to_string(predictions.shape()), " for targets ", to_string(targets.shape()));
  require(diff.empty() || std::ssize(diff) == predictions.size(), what, ": diff has ", diff.size(),
          " values for predictions ", to_string(predictions.shape()));
  const double n = normaliser > 0 ? normaliser : static_cast<double>(predictions.size());
  double loss = 0;
  for (int64_t i = 0; i < predictions.size(); ++i) {
    const auto [value, slope] = each(double{predictions.data()[i]}, double{targets.data()[i]});
    loss += value / n;
    if (!diff.empty()) diff[static_cast<size_t>(i)] = static_cast<float>(slope / n);
  }
  return loss;
}

}  // namespace

double mean_squared_error(const Tensor& predictions, const Tensor& targets, std::span<float> diff,
                          double normaliser) {
  return mean_loss("mean squared error", predictions, targets, diff, normaliser,
                   [](double x, double t) { return std::pair((x - t) * (x - t), 2 * (x - t)); });
}

double binary_cross_entropy(const Tensor& logits, const Tensor& targets, std::span<float> diff,
                            double normaliser) {
  return mean_loss("binary cross-entropy", logits, targets, diff, normaliser,
                   [](double x, double t) {
                     require(t >= 0 && t <= 1, "binary cross-entropy: a target is ", t);
                     const double e = std::exp(-std::abs(x));  // log(1 + exp(x)) without overflow
                     return std::pair(std::max(x, 0.0) - x * t + std::log1p(e),
                                      (x >= 0 ? 1 / (1 + e) : e / (1 + e)) - t);
                   });
}

}  // namespace limbic
