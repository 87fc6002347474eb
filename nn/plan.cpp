#include "nn/plan.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "nn/core/clock.h"
#include "nn/core/parallel.h"
#include "nn/ops/elementwise.h"

namespace limbic {
namespace {

// (n,C,H,W) to (n,H,W,C): out[p * C + c] = in[c * P + p] for each image.
void to_channels_last(const float* in, float* out, int64_t channels, int64_t positions) {
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t p = 0; p < positions; ++p) out[p * channels + c] = in[c * positions + p];
}

}  // namespace

Plan::Plan(std::shared_ptr<Program> program)
    : program_(std::move(program)), arena_(allocate_aligned(program_->arena().bytes)) {
  state_.seed = program_->options().seed;
  const auto packed_buffer = [](const onednn::Desc& desc, const Tensor& t) {
    return t.empty() ? Buffer{} : Buffer{dnnl::memory(desc, onednn::engine(), t.raw()), t.raw()};
  };
  const auto& nodes = program_->graph().nodes();
  buffers_.resize(nodes.size());
  gradients_.resize(nodes.size());
  for (size_t n = 0; n < nodes.size(); ++n) {
    const Program::CompiledNode& compiled = node(static_cast<int>(n));
    Buffers& b = buffers_[n];
    b.dst = buffer(compiled.value);
    b.diff_dst = gradients_[n] = buffer(compiled.diff);
    b.run = &state_;
    profile_.push_back({nodes[n].name, nodes[n].op ? nodes[n].op->type() : "input",
                        compiled.kernel ? compiled.kernel->implementation() : "limbic"});
    if (!compiled.kernel) continue;
    for (int s : nodes[n].src) b.src.push_back(buffer(node(s).value));
    for (int s : compiled.diff_src) b.diff_src.push_back(buffer(s));
    b.diff_src.resize(b.src.size());
    for (int s : compiled.extras) b.extra.push_back(buffer(s));
    for (int p : compiled.packed) {
      const PackedParameter& packed = program_->packed()[static_cast<size_t>(p)];
      b.packed.push_back(packed_buffer(packed.desc, packed.value));
      b.diff_packed.push_back(packed_buffer(packed.desc, packed.gradient));
    }
  }
}

Buffer Plan::buffer(int slice) const {
  if (slice < 0) return {};
  const auto index = static_cast<size_t>(slice);
  void* data = static_cast<char*>(arena_.get()) + program_->arena().offsets[index];
  return {dnnl::memory(program_->slices()[index].desc, onednn::engine(), data), data};
}

void Plan::run(const Tensor& images) {
  const Shape& shape = input_shape();
  require(images.rank() == 4 && images.dim(0) <= shape[0] && images.dim(1) == shape[1] &&
              images.dim(2) == shape[2] && images.dim(3) == shape[3],
          "plan: expected images ", to_string(shape), " or fewer, got ", to_string(images.shape()));
  const int64_t channels = shape[1], positions = shape[2] * shape[3];
  const float* in = images.data();
  float* out = buffers_[0].dst.f32();
  const int64_t per_image = channels * positions, given = images.dim(0);
  parallel_for(shape[0], [&](int64_t n) {
    if (n < given)
      to_channels_last(in + n * per_image, out + n * per_image, channels, positions);
    else
      std::memset(out + n * per_image, 0, static_cast<size_t>(per_image) * sizeof(float));
  });
  for (size_t n = 1; n < buffers_.size(); ++n) {
    const Kernel* kernel = node(static_cast<int>(n)).kernel.get();
    if (!kernel) continue;
    const double start = profiling_ ? now() : 0;
    kernel->forward(buffers_[n]);
    if (profiling_) profile_[n].forward += now() - start;
  }
  if (program_->options().batch_statistics) ++training_runs_;
}

Tensor Plan::to_nchw(const Buffer& b, const Shape& shape) const {
  Tensor out(shape);
  if (shape.size() != 4) {
    std::memcpy(out.raw(), b.data, static_cast<size_t>(out.bytes()));
    return out;
  }
  const int64_t positions = shape[2] * shape[3], per_image = shape[1] * positions;
  parallel_for(shape[0], [&](int64_t n) {  // a transpose of (H*W,C)
    to_channels_last(b.f32() + n * per_image, out.data() + n * per_image, positions, shape[1]);
  });
  return out;
}

Tensor Plan::output(const std::string& name) const {
  const int index = program_->graph().find(name);
  const Buffer& b = buffers_[static_cast<size_t>(index)].dst;
  const auto& slice = program_->slices()[static_cast<size_t>(node(index).value)];
  require(slice.life.last == 2 * static_cast<int>(buffers_.size()), name,
          ": not kept; name it in PlanOptions::keep");
  return to_nchw(b, node(index).shape);
}

void Plan::read_output(const std::string& name, std::span<float> into) const {
  const int index = program_->graph().find(name);
  const Shape& shape = node(index).shape;
  require(shape.size() == 2 && static_cast<int64_t>(into.size()) <= count(shape), name,
          ": has shape ", to_string(shape), ", asked for ", into.size(), " values");
  std::memcpy(into.data(), buffers_[static_cast<size_t>(index)].dst.data, into.size_bytes());
}

void Plan::backward(std::span<const float> diff) {
  const int loss = program_->loss_node();
  require(loss >= 0, "plan: backward needs PlanOptions::gradients");
  const Shape& shape = node(loss).shape;
  require(static_cast<int64_t>(diff.size()) == count(shape), "plan: expected a gradient of ",
          to_string(shape), ", got ", diff.size(), " values");
  if (!gradients_[static_cast<size_t>(loss)].data) return;  // everything is frozen
  const int64_t positions = count(shape) / shape[0] / shape[1], per_image = shape[1] * positions;
  for (int64_t n = 0; n < shape[0]; ++n)
    to_channels_last(diff.data() + n * per_image,
                     gradients_[static_cast<size_t>(loss)].f32() + n * per_image, shape[1],
                     positions);
  for (size_t n = buffers_.size(); n-- > 1;) {
    const Program::CompiledNode& compiled = node(static_cast<int>(n));
    if (!compiled.backward || !compiled.kernel) continue;
    const double start = profiling_ ? now() : 0;
    compiled.kernel->backward(buffers_[n]);
    const auto& src = program_->graph().nodes()[n].src;
    for (size_t i = 0; i < src.size(); ++i)
      if (compiled.diff_src_is_added[i])
        add_to(gradients_[static_cast<size_t>(src[i])].f32(), buffers_[n].diff_src[i].f32(),
               count(node(src[i]).shape));
    if (profiling_) profile_[n].backward += now() - start;
  }
}

void Plan::poison() {
  const auto fill = [](void* data, int64_t bytes) {
    std::fill_n(static_cast<float*>(data), bytes / 4, std::numeric_limits<float>::quiet_NaN());
  };
  fill(arena_.get(), program_->arena().bytes);
  for (const PackedParameter& p : program_->packed()) fill(p.gradient.raw(), p.gradient.bytes());
}

Tensor Plan::gradient(const std::string& name) const {
  const int index = program_->graph().find(name);
  const int slice = node(index).diff;
  require(slice >= 0 && program_->slices()[static_cast<size_t>(slice)].life.last ==
                            2 * static_cast<int>(buffers_.size()),
          name, ": its gradient is not kept; name it in PlanOptions::keep_gradients");
  return to_nchw(gradients_[static_cast<size_t>(index)], node(index).shape);
}

Tensor Plan::unpack(const PackedParameter& p, const Tensor& packed) const {
  Tensor out(p.shape);
  onednn::reorder_once(p.desc, packed.raw(), onednn::canonical_like(p.desc), out.raw());
  return out;
}

void Plan::pack(const PackedParameter& p, const Tensor& canonical, const Tensor& packed) const {
  require(canonical.shape() == p.shape, p.name, ": expected ", to_string(p.shape), ", got ",
          to_string(canonical.shape()));
  onednn::reorder_once(onednn::canonical_like(p.desc), canonical.raw(), p.desc, packed.raw());
}

Tensor Plan::parameter_gradient(const std::string& name) const {
  for (const PackedParameter& p : program_->packed())
    if (p.name == name && p.trainable) return unpack(p, p.gradient);
  fail("parameter '", name, "' has no gradient in this plan");
}

void Plan::store(Parameters& parameters) const {
  for (const PackedParameter& p : program_->packed())
    if (!p.name.empty() && !p.value.empty()) parameters.set(p.name, unpack(p, p.value));
  const auto& nodes = program_->graph().nodes();
  for (size_t n = 0; n < nodes.size(); ++n) {
    for (const std::string& name : nodes[n].parameters) {
      if (!name.ends_with("num_batches_tracked") || !node(static_cast<int>(n)).batch_statistics)
        continue;
      Tensor tracked = parameters.at(name).value.clone();
      tracked.data<int64_t>()[0] += training_runs_ - stored_runs_;
      parameters.set(name, tracked);
    }
  }
  stored_runs_ = training_runs_;
}

void Plan::set_profiling(bool on) {
  profiling_ = on;
  for (auto& time : profile_) time.forward = time.backward = 0;
}

}  // namespace limbic
