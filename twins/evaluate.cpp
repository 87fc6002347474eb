#include "limbic/twins/evaluate.h"

#include <algorithm>

#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/concat.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/softmax.h"
#include "limbic/reference/add.h"
#include "limbic/reference/concat.h"
#include "limbic/reference/linear.h"
#include "limbic/reference/local_response_norm.h"
#include "limbic/reference/softmax.h"
#include "limbic/twins/activate.h"
#include "limbic/twins/options.h"

namespace limbic::twins {
namespace {

Array batch_norm(const Array& src, const std::vector<Array*>& p, const BatchNormOptions& o,
                 bool batch_statistics) {
  reference::Moments running{*p[2], *p[3]};
  if (!batch_statistics) return reference::frozen_batch_norm(src, *p[0], *p[1], running, plain(o));
  Array dst = reference::batch_norm(src, *p[0], *p[1], running, plain(o));
  *p[2] = running.mean;
  *p[3] = running.var;
  return dst;
}

Array run(const Node& node, const std::vector<const Array*>& src, const std::vector<Array*>& p,
          const Shape& dst, const Mode& mode) {
  const Op& op = *node.op;
  const Array& x = *src[0];
  const auto bias = [&] { return p.size() > 1 ? *p[1] : Array(); };
  if (const auto* conv = as<Conv2d>(op))
    return reference::conv2d(x, *p[0], bias(), plain(conv->options()));
  if (const auto* norm = as<BatchNorm>(op))
    return batch_norm(x, p, norm->options(), uses_batch_statistics(node, mode));
  if (const Activation a = op.as_activation()) return activate(x, a);
  if (const auto* pool = as<Pool2d>(op))
    return (pool->kind() == Pool2d::Kind::max ? reference::max_pool2d : reference::avg_pool2d)(
        x, plain(pool->options()));
  if (const auto* pool = as<AdaptiveAvgPool2d>(op))
    return reference::adaptive_avg_pool2d(x, plain(pool->output()));
  if (as<GlobalAvgPool>(op)) return reference::global_avg_pool(x);
  if (as<Linear>(op)) return reference::linear(x, *p[0], bias());
  if (const auto* norm = as<LocalResponseNorm>(op))
    return reference::local_response_norm(x, plain(norm->options()));
  if (as<Add>(op)) return reference::add(x, *src[1]);
  if (as<Concat>(op)) return reference::concat(copies(src));
  if (as<Softmax>(op)) return reference::softmax(x);
  if (as<Dropout>(op)) return x;
  if (as<Flatten>(op)) return reference::flatten(x);
  if (const auto* u = as<Upsample>(op))
    return (u->options().mode == UpsampleOptions::Mode::nearest
                ? reference::upsample_nearest
                : reference::upsample_bilinear)(x, plain(u->options().scale));
  if (const auto* s = as<StridedSlicePad>(op)) return reference::slice_pad(x, plain(s->options()));
  if (mode.twin.forward) return mode.twin.forward(op, copies(src), p, dst);
  fail("op '", op.type(), "' has no naive twin");
}

}  // namespace

std::vector<Array> evaluate(const Graph& graph, Arrays& parameters, const Array& input,
                            const Mode& mode) {
  const std::vector<Shape> shapes = graph.infer(input.shape);
  std::vector<Array> values = {input};
  for (size_t n = 1; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    std::vector<const Array*> src;
    for (int s : node.src) src.push_back(&values[static_cast<size_t>(s)]);
    std::vector<Array*> own;
    for (const auto& name : node.parameters) own.push_back(&parameters.at(name));
    values.push_back(run(node, src, own, shapes[n], mode));
    require(values[n].shape == shapes[n], "the naive twin of op '", node.op->type(), "' gives ",
            to_string(values[n].shape), ", the op infers ", to_string(shapes[n]));
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

}  // namespace limbic::twins
