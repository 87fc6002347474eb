#include <algorithm>

#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/concat.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/softmax.h"
#include "tests/reference/naive.h"

namespace limbic::naive {
namespace {

template <class T>
const T* as(const Op& op) {
  return dynamic_cast<const T*>(&op);
}

Array run(const Node& node, const std::vector<Array>& src, const std::vector<Array*>& p,
          const Shape& dst, const Mode& mode) {
  const Op& op = *node.op;
  Array no_bias;
  no_bias.values.clear();
  if (const auto* conv = as<Conv2d>(op))
    return conv2d(src[0], *p[0], conv->options().bias ? *p[1] : no_bias, conv->options(), dst);
  if (const auto* norm = as<BatchNorm>(op))
    return batch_norm(src[0], *p[0], *p[1], *p[2], *p[3], norm->options(),
                      uses_batch_statistics(node, mode));
  if (op.as_activation().is_clamp())
    return relu(src[0], static_cast<double>(op.as_activation().high));
  if (const auto* pool = as<Pool2d>(op))
    return (pool->kind() == Pool2d::Kind::max ? max_pool2d : avg_pool2d)(src[0], pool->options(),
                                                                         dst);
  if (as<AdaptiveAvgPool2d>(op) || as<GlobalAvgPool>(op)) return adaptive_avg_pool2d(src[0], dst);
  if (const auto* l = as<Linear>(op))
    return linear(src[0], *p[0], l->options().bias ? *p[1] : no_bias);
  if (as<Add>(op)) return add(src[0], src[1]);
  if (as<Concat>(op)) return concat(src, dst);
  if (as<Softmax>(op)) return softmax(src[0]);
  if (as<Dropout>(op)) return src[0];
  if (as<Flatten>(op)) return flatten(src[0]);
  if (const auto* s = as<StridedSlicePad>(op)) return slice_pad(src[0], s->options(), dst);
  if (mode.twin) return mode.twin(op, src, p, dst);
  fail("op '", op.type(), "' has no naive twin");
}

}  // namespace

std::vector<Array> evaluate(const Graph& graph, Arrays& parameters, const Array& input,
                            const Mode& mode) {
  const std::vector<Shape> shapes = graph.infer(input.shape);
  std::vector<Array> values = {input};
  for (size_t n = 1; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    std::vector<Array> src;
    for (int s : node.src) src.push_back(values[static_cast<size_t>(s)]);
    std::vector<Array*> own;
    for (const auto& name : node.parameters) own.push_back(&parameters.at(name));
    values.push_back(run(node, src, own, shapes[n], mode));
    if (mode.round)
      for (double& v : values.back().values) v = mode.round(v);
  }
  return values;
}

bool uses_batch_statistics(const Node& node, const Mode& mode) {
  return mode.batch_statistics &&
         std::none_of(mode.frozen.begin(), mode.frozen.end(), [&](const std::string& path) {
           return lies_within(node.parameters[2], path) || lies_within(node.parameters[3], path);
         });
}

Array from_tensor(const Tensor& tensor) {
  Array out(tensor.shape());
  if (tensor.dtype() == DType::f32)
    for (int64_t i = 0; i < tensor.size(); ++i)
      out.values[static_cast<size_t>(i)] = static_cast<double>(tensor.data()[i]);
  return out;
}

Arrays from_parameters(const Parameters& parameters) {
  Arrays out;
  for (const auto& [name, parameter] : parameters) out.emplace(name, from_tensor(parameter.value));
  return out;
}

}  // namespace limbic::naive
