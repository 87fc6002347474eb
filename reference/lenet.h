#pragma once
#include <cmath>
#include <map>

#include "activation.h"
#include "conv2d.h"
#include "glyphs.h"
#include "linear.h"
#include "loss.h"
#include "pool2d.h"
#include "reshape.h"
#include "sgd.h"

namespace limbic::reference {

/// LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998) as it is written today, with ReLU and maxima:
/// (N,1,28,28) -> conv 5x5, pool, conv 5x5, pool, three linear layers -> logits (N,10).
class LeNet {
 public:
  /// Weights uniform in +-sqrt(6/fan_in) (He et al. 2015, arXiv:1502.01852), biases 0.
  explicit LeNet(uint64_t seed) {
    Random random(seed);
    for (const auto& [layer, shape] : std::map<std::string, Shape>{{"conv1", {6, 1, 5, 5}},
                                                                   {"conv2", {16, 6, 5, 5}},
                                                                   {"fc1", {120, 400}},
                                                                   {"fc2", {84, 120}},
                                                                   {"fc3", {10, 84}}}) {
      Array weight(shape);
      const double bound = std::sqrt(6 / static_cast<double>(count(shape) / shape[0]));
      for (double& x : weight.values) x = random.uniform(-bound, bound);
      parameters[layer + ".weight"] = weight;
      parameters[layer + ".bias"] = Array({shape[0]});
    }
    for (const auto& [name, parameter] : parameters) velocity_[name] = Array(parameter.shape);
  }

  /// (N,1,28,28) -> logits (N,10).
  Array forward(const Array& images) const { return run(images).logits; }

  /// One step of SGD on a batch; returns its loss before the step.
  double step(const Glyphs& batch, const SgdOptions& o) {
    const Values v = run(batch.images);
    const Loss loss = softmax_cross_entropy(v.logits, batch.labels);
    std::map<std::string, Gradients> d;
    d["fc3"] = linear_backward(v.relu4, w("fc3"), loss.logits);
    d["fc2"] = linear_backward(v.relu3, w("fc2"), relu_backward(v.fc2, d["fc3"].src));
    d["fc1"] = linear_backward(v.flat, w("fc1"), relu_backward(v.fc1, d["fc2"].src));
    const Array pool2 = flatten_backward(v.pool2, d["fc1"].src);
    const Array relu2 = max_pool2d_backward(v.relu2, {}, pool2);
    d["conv2"] = conv2d_backward(v.pool1, w("conv2"), {}, relu_backward(v.conv2, relu2));
    const Array relu1 = max_pool2d_backward(v.relu1, {}, d["conv2"].src);
    d["conv1"] =
        conv2d_backward(batch.images, w("conv1"), {.padding = 2}, relu_backward(v.conv1, relu1));
    for (const auto& [layer, g] : d) {
      sgd_step(parameters.at(layer + ".weight"), velocity_.at(layer + ".weight"), g.weight, o);
      sgd_step(parameters.at(layer + ".bias"), velocity_.at(layer + ".bias"), g.bias, o);
    }
    return loss.value;
  }

  std::map<std::string, Array> parameters;  ///< "conv1.weight", "conv1.bias", ...

 private:
  struct Values {
    Array conv1, relu1, pool1, conv2, relu2, pool2, flat, fc1, relu3, fc2, relu4, logits;
  };

  const Array& w(const std::string& layer) const { return parameters.at(layer + ".weight"); }
  const Array& b(const std::string& layer) const { return parameters.at(layer + ".bias"); }

  Values run(const Array& images) const {
    Values v;
    v.conv1 = conv2d(images, w("conv1"), b("conv1"), {.padding = 2});
    v.relu1 = relu(v.conv1);
    v.pool1 = max_pool2d(v.relu1, {});
    v.conv2 = conv2d(v.pool1, w("conv2"), b("conv2"), {});
    v.relu2 = relu(v.conv2);
    v.pool2 = max_pool2d(v.relu2, {});
    v.flat = flatten(v.pool2);
    v.fc1 = linear(v.flat, w("fc1"), b("fc1"));
    v.relu3 = relu(v.fc1);
    v.fc2 = linear(v.relu3, w("fc2"), b("fc2"));
    v.relu4 = relu(v.fc2);
    v.logits = linear(v.relu4, w("fc3"), b("fc3"));
    return v;
  }

  std::map<std::string, Array> velocity_;
};

}  // namespace limbic::reference
