#include "limbic/train/look.h"

#include <algorithm>
#include <cmath>

namespace limbic::train {
namespace {

// The parameter that makes a layer a convolution or a linear one; none: empty.
std::string weight_of(const Node& node, const Parameters& parameters) {
  for (const std::string& name : node.parameters)
    if (parameters.at(name).trainable && parameters.at(name).value.rank() > 1) return name;
  return {};
}

bool is_frozen(const std::string& name, const std::vector<std::string>& frozen) {
  return std::any_of(frozen.begin(), frozen.end(),
                     [&](const std::string& path) { return lies_within(name, path); });
}

// Channels of (N,C,H,W) or (N,C) in which all is 0.
int64_t count_dead(const Tensor& output) {
  const int64_t n = output.dim(0), channels = output.dim(1), area = output.size() / (n * channels);
  int64_t dead = 0;
  for (int64_t c = 0; c < channels; ++c) {
    bool alive = false;
    for (int64_t i = 0; i < n && !alive; ++i) {
      const float* x = output.data() + (i * channels + c) * area;
      alive = std::any_of(x, x + area, [](float v) { return v != 0; });
    }
    dead += !alive;
  }
  return dead;
}

}  // namespace

Histogram histogram_of(std::span<const float> values) {
  Histogram h;
  h.count = std::ssize(values);
  double sum = 0, squares = 0;
  for (const float x : values) {
    if (!std::isfinite(x)) {
      ++h.not_finite;
      continue;
    }
    sum += double{x};
    squares += double{x} * double{x};
    if (x == 0) {
      ++h.zeros;
      continue;
    }
    const int bin = std::clamp(std::ilogb(x) - Histogram::least, 0, Histogram::bins - 1);
    ++(x < 0 ? h.negative : h.positive)[static_cast<size_t>(bin)];
  }
  if (const auto n = static_cast<double>(h.count - h.not_finite); n > 0) {
    h.mean = sum / n;
    h.deviation = std::sqrt(std::max(0.0, squares / n - h.mean * h.mean));
  }
  return h;
}

Looker::Looker(const Graph& graph, const Parameters& parameters, const Shape& input,
               std::vector<std::string> frozen, CrossEntropyOptions loss, AuxiliaryLoss auxiliary)
    : graph_(graph),
      loss_(std::move(loss)),
      auxiliary_(std::move(auxiliary)),
      frozen_(std::move(frozen)) {
  PlanOptions options = PlanOptions::training(input);
  options.dropout = false;
  options.frozen = frozen_;
  for (size_t n = 1; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    if (!weight_of(node, parameters).empty() || node.op->as_activation())
      options.keep.push_back(node.name);
  }
  plan_ = std::make_unique<Plan>(graph, parameters, std::move(options));
}

Look Looker::look(int64_t step, const Parameters& parameters, const Tensor& images,
                  std::span<const int64_t> labels) {
  const int64_t n = plan_->input_shape()[0];
  plan_->refresh(parameters);
  plan_->run(images.rows(0, n));
  Look out{.step = step, .layers = {}};
  for (size_t i = 1; i < graph_.nodes().size(); ++i) {
    const Node& node = graph_.nodes()[i];
    const std::string weight = weight_of(node, parameters);
    const Activation activation = node.op->as_activation();
    if (weight.empty() && !activation) continue;
    LayerLook layer{.name = node.name, .type = node.op->type(), .has_weights = !weight.empty()};
    const Tensor output = plan_->output(node.name);
    layer.output = histogram_of(output.values());
    if (layer.has_weights) layer.weights = histogram_of(parameters.at(weight).value.values());
    if (activation.is_clamp() && activation.low == 0) {
      layer.channels = output.dim(1);
      layer.dead = count_dead(output);
    }
    out.layers.push_back(std::move(layer));
  }
  const Tensor logits = plan_->output("logits");
  std::vector<float> diff(static_cast<size_t>(logits.size()));
  softmax_cross_entropy(logits, labels.first(static_cast<size_t>(n)), diff, loss_, 0, auxiliary_);
  plan_->backward(diff);
  for (LayerLook& layer : out.layers) {
    if (!layer.has_weights) continue;
    const std::string weight = weight_of(graph_.node(graph_.find(layer.name)), parameters);
    if (!is_frozen(weight, frozen_))
      layer.gradients = histogram_of(plan_->parameter_gradient(weight).values());
  }
  return out;
}

}  // namespace limbic::train
