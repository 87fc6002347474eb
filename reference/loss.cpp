#include "loss.h"

#include <algorithm>
#include <cmath>

namespace limbic::reference {
namespace {

void require_fit(const Array& logits, std::span<const int64_t> labels,
                 const CrossEntropyOptions& o) {
  require(logits.shape.size() == 2 && logits.shape[0] == std::ssize(labels) && !logits.empty(),
          "softmax_cross_entropy: ", std::ssize(labels), " labels for logits ", logits.shape);
  for (const int64_t label : labels)
    require(label >= -1 && label < logits.shape[1], "softmax_cross_entropy: label ", label, " of ",
            logits.shape[1], " classes");
  require(o.class_weights.empty() || std::ssize(o.class_weights) == logits.shape[1],
          "softmax_cross_entropy: ", std::ssize(o.class_weights), " class weights for ",
          logits.shape[1], " classes");
  for (const double w : o.class_weights)
    require(w >= 0 && std::isfinite(w), "softmax_cross_entropy: a class weight is ", w);
  require(o.label_smoothing >= 0 && o.label_smoothing <= 1,
          "softmax_cross_entropy: label_smoothing must be in [0,1], got ", o.label_smoothing);
}

}  // namespace

Loss softmax_cross_entropy(const Array& logits, std::span<const int64_t> labels,
                           const CrossEntropyOptions& o) {
  require_fit(logits, labels, o);
  const int64_t classes = logits.shape[1];
  const auto weight = [&](int64_t c) {
    return o.class_weights.empty() ? 1 : o.class_weights[static_cast<size_t>(c)];
  };
  double total_weight = 0;
  for (const int64_t label : labels) total_weight += label < 0 ? 0 : weight(label);
  const bool is_left_out = std::all_of(labels.begin(), labels.end(), [](auto l) { return l < 0; });
  require(total_weight > 0 || is_left_out,
          "softmax_cross_entropy: the class weights of these labels sum to 0");
  Loss loss{0, Array(logits.shape)};
  for (int64_t n = 0; n < logits.shape[0]; ++n) {
    const int64_t label = labels[static_cast<size_t>(n)];
    if (label < 0) continue;
    double largest = -HUGE_VAL, sum = 0, targets = 0;
    for (int64_t c = 0; c < classes; ++c) largest = std::max(largest, logits.at(n, c));
    for (int64_t c = 0; c < classes; ++c) sum += std::exp(logits.at(n, c) - largest);
    const auto log_p = [&](int64_t c) { return logits.at(n, c) - largest - std::log(sum); };
    const auto target = [&](int64_t c) {
      return weight(c) * ((c == label ? 1 - o.label_smoothing : 0) +
                          o.label_smoothing / static_cast<double>(classes));
    };
    for (int64_t c = 0; c < classes; ++c) {
      targets += target(c);
      loss.value -= target(c) * log_p(c) / total_weight;
    }
    for (int64_t c = 0; c < classes; ++c)
      loss.logits.at(n, c) = (std::exp(log_p(c)) * targets - target(c)) / total_weight;
  }
  return loss;
}

Loss mean_squared_error(const Array& predictions, const Array& targets) {
  require_shape("mean_squared_error", "targets", targets, predictions.shape);
  const auto n = static_cast<double>(predictions.values.size());
  Loss loss{0, Array(predictions.shape)};
  for (size_t i = 0; i < predictions.values.size(); ++i) {
    const double difference = predictions.values[i] - targets.values[i];
    loss.value += difference * difference / n;
    loss.logits.values[i] = 2 * difference / n;
  }
  return loss;
}

Loss binary_cross_entropy(const Array& logits, const Array& targets) {
  require_shape("binary_cross_entropy", "targets", targets, logits.shape);
  const auto n = static_cast<double>(logits.values.size());
  Loss loss{0, Array(logits.shape)};
  for (size_t i = 0; i < logits.values.size(); ++i) {
    const double t = targets.values[i], s = 1 / (1 + std::exp(-logits.values[i]));
    loss.value -= (t * std::log(s) + (1 - t) * std::log(1 - s)) / n;
    loss.logits.values[i] = (s - t) / n;
  }
  return loss;
}

}  // namespace limbic::reference
