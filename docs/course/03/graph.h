#pragma once
// Backpropagation through a graph in a hundred lines: a calculation writes down what it does, and
// is then walked backwards. Lessons 4 to 6 train with it.
#include <functional>

#include "docs/course/check.h"
#include "reference/activation.h"
#include "reference/add.h"
#include "reference/batch_norm.h"
#include "reference/concat.h"
#include "reference/conv2d.h"
#include "reference/linear.h"
#include "reference/loss.h"
#include "reference/pool2d.h"

namespace limbic::course {

/// Each function computes a value at once and returns its number. backward(last) then gives every
/// value the gradient of `last` (the sum of its elements) with respect to it.
class Graph {
 public:
  using Value = size_t;

  Graph() = default;
  Graph(const Graph&) = delete;  // the nodes' functions know where the graph lies

  const Array& value(Value v) const { return nodes_[v].value; }
  const Array& gradient(Value v) const { return nodes_[v].gradient; }

  Value input(const Array& value) {
    return append(value, [](const Array&) {});
  }

  Value add(Value a, Value b) {
    return append(reference::add(value(a), value(b)), [this, a, b](const Array& dy) {
      send(a, dy);
      send(b, dy);
    });
  }
  Value relu(Value x) {
    return append(reference::relu(value(x)),
                  [this, x](const Array& dy) { send(x, reference::relu_backward(value(x), dy)); });
  }
  Value linear(Value x, Value weight, Value bias) {
    return append(reference::linear(value(x), value(weight), value(bias)),
                  [this, x, weight, bias](const Array& dy) {
                    const auto d = reference::linear_backward(value(x), value(weight), dy);
                    send(x, d.src);
                    send(weight, d.weight);
                    send(bias, d.bias);
                  });
  }
  /// Without a bias: a batch norm behind it would subtract it again.
  Value conv2d(Value x, Value weight, const reference::Conv2dOptions& o) {
    return append(reference::conv2d(value(x), value(weight), {}, o),
                  [this, x, weight, o](const Array& dy) {
                    const auto d = reference::conv2d_backward(value(x), value(weight), o, dy);
                    send(x, d.src);
                    send(weight, d.weight);
                  });
  }
  Value batch_norm(Value x, Value weight, Value bias) {
    reference::Moments running{Array(value(weight).shape), Array(value(weight).shape)};
    return append(reference::batch_norm(value(x), value(weight), value(bias), running, {}),
                  [this, x, weight, bias](const Array& dy) {
                    const auto d = reference::batch_norm_backward(value(x), value(weight), {}, dy);
                    send(x, d.src);
                    send(weight, d.weight);
                    send(bias, d.bias);
                  });
  }
  Value concat(Value a, Value b) {
    return append(reference::concat({value(a), value(b)}), [this, a, b](const Array& dy) {
      const auto d = reference::concat_backward({value(a), value(b)}, dy);
      send(a, d[0]);
      send(b, d[1]);
    });
  }
  /// Windows of 2x2.
  Value avg_pool2d(Value x) {
    return append(reference::avg_pool2d(value(x), {}), [this, x](const Array& dy) {
      send(x, reference::avg_pool2d_backward(value(x), {}, dy));
    });
  }
  Value global_avg_pool(Value x) {
    return append(reference::global_avg_pool(value(x)), [this, x](const Array& dy) {
      send(x, reference::global_avg_pool_backward(value(x), dy));
    });
  }
  /// The mean loss of logits (N,C); one number.
  Value cross_entropy(Value x, const std::vector<int64_t>& labels) {
    const auto loss = reference::softmax_cross_entropy(value(x), labels);
    return append(number(loss.value), [this, x, d = loss.logits](const Array& dy) {
      Array dx = d;
      for (double& element : dx.values) element *= dy[0];
      send(x, dx);
    });
  }

  void backward(Value last) {
    for (Node& node : nodes_) node.gradient = Array(node.value.shape);
    for (double& element : nodes_[last].gradient.values) element = 1;
    for (Value v = last + 1; v-- > 0;) nodes_[v].backward(nodes_[v].gradient);
  }

 private:
  struct Node {
    Array value, gradient;
    std::function<void(const Array& dy)> backward;  // sends on what its inputs get of dy
  };

  Value append(Array value, std::function<void(const Array&)> backward) {
    nodes_.push_back({std::move(value), {}, std::move(backward)});
    return nodes_.size() - 1;
  }
  /// A value that several others read takes the sum of what they send.
  void send(Value to, const Array& gradient) {
    nodes_[to].gradient = reference::add(nodes_[to].gradient, gradient);
  }

  std::vector<Node> nodes_;
};

}  // namespace limbic::course
