#include "nn/plan.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "nn/core/clock.h"
#include "nn/core/parallel.h"
#include "nn/ops/elementwise.h"

namespace limbic {
namespace {

// (C,P) to (P,C): out[p * C + c] = in[c * P + p], from one element type to another.
template <class To, class From>
void transpose(const From* in, To* out, int64_t rows, int64_t columns) {
  for (int64_t c = 0; c < rows; ++c)
    for (int64_t p = 0; p < columns; ++p)
      out[p * rows + c] = from_f32<To>(to_f32(in[c * columns + p]));
}

}  // namespace

Plan::Plan(std::shared_ptr<Program> program)
    : program_(std::move(program)), arena_(allocate_aligned(program_->arena().bytes)) {
  state_.seed = program_->options().seed;
  const auto& nodes = program_->graph().nodes();
  buffers_.resize(nodes.size());
  backward_.resize(nodes.size());
  gradients_.resize(nodes.size());
  for (size_t n = 0; n < nodes.size(); ++n) {
    const Program::CompiledNode& compiled = node(static_cast<int>(n));
    gradients_[n] = buffer(compiled.diff);
    bind(buffers_[n], static_cast<int>(n), false);
    if (compiled.backward) bind(backward_[n], static_cast<int>(n), true);
    profile_.push_back({nodes[n].name, nodes[n].op ? nodes[n].op->type() : "input",
                        compiled.kernel ? compiled.kernel->implementation() : "limbic"});
  }
}

void Plan::bind(Buffers& b, int index, bool in_backward) const {
  const Program::CompiledNode& compiled = node(index);
  const auto value = [&](int n) {
    const bool again = in_backward && node(n).value_again >= 0;
    return buffer(again ? node(n).value_again : node(n).value);
  };
  b.dst = value(index);
  b.diff_dst = gradients_[static_cast<size_t>(index)];
  b.run = &state_;
  if (!compiled.kernel) return;
  const auto& src = program_->graph().node(index).src;
  for (int s : src) b.src.push_back(value(s));
  for (int s : compiled.diff_src) b.diff_src.push_back(buffer(s));
  b.add_diff_src = compiled.diff_src_adds;
  b.diff_src.resize(src.size());
  b.add_diff_src.resize(src.size());
  for (int s : compiled.extras) b.extra.push_back(buffer(s));
  for (int p : compiled.packed) {
    const PackedParameter& packed = program_->packed()[static_cast<size_t>(p)];
    void* data = packed.value.raw();
    b.packed.push_back(packed.value.empty()
                           ? Buffer{}
                           : Buffer{dnnl::memory(packed.desc, onednn::engine(), data), data});
    b.diff_packed.push_back(buffer(packed.gradient));
  }
}

Buffer Plan::buffer(int slice) const {
  if (slice < 0) return {};
  const auto index = static_cast<size_t>(slice);
  void* data = static_cast<char*>(arena_.get()) + program_->arena().offsets[index];
  return {dnnl::memory(program_->slices()[index].desc, onednn::engine(), data), data};
}

// Images (n,C,H,W) or rows (n,C) into the layout and dtype of a node's values; the images beyond n
// become zeros.
void Plan::take_in(std::span<const float> nchw, int64_t images, int index,
                   const Buffer& buffer) const {
  const Shape& shape = node(index).shape;
  const int64_t channels = shape[1], per_image = count(shape) / shape[0];
  with_element(node(index).dtype, [&]<class T>(T) {
    parallel_for(shape[0], [&](int64_t n) {
      T* out = buffer.as<T>() + n * per_image;
      if (n < images)
        transpose(nchw.data() + n * per_image, out, channels, per_image / channels);
      else
        std::fill(out, out + per_image, T{});
    });
  });
}

void Plan::run(const Tensor& images) {
  const Shape& shape = input_shape();
  require(images.rank() == 4 && images.dim(0) <= shape[0] && images.dim(1) == shape[1] &&
              images.dim(2) == shape[2] && images.dim(3) == shape[3],
          "plan: expected images ", to_string(shape), " or fewer, got ", to_string(images.shape()));
  take_in(images.values(), images.dim(0), 0, buffers_[0].dst);
  for (size_t n = 1; n < buffers_.size(); ++n) {
    const Kernel* kernel = node(static_cast<int>(n)).kernel.get();
    if (!kernel) continue;
    const double start = profiling_ ? now() : 0;
    kernel->forward(buffers_[n]);
    if (profiling_) profile_[n].forward += now() - start;
    if (observer_ && node(static_cast<int>(n)).dtype == DType::f32)
      observer_(
          program_->graph().nodes()[n].name,
          {buffers_[n].dst.f32(), static_cast<size_t>(count(node(static_cast<int>(n)).shape))});
  }
  if (program_->options().batch_statistics) ++training_runs_;
}

Tensor Plan::to_nchw(const Buffer& b, int index) const {
  const Shape& shape = node(index).shape;
  Tensor out(shape);
  const int64_t per_image = count(shape) / shape[0];
  with_element(node(index).dtype, [&]<class T>(T) {
    parallel_for(shape[0], [&](int64_t n) {
      transpose(b.as<T>() + n * per_image, out.data() + n * per_image, per_image / shape[1],
                shape[1]);
    });
  });
  return out;
}

Tensor Plan::output(const std::string& name) const {
  const int index = program_->graph().find(name);
  const Buffer& b = buffers_[static_cast<size_t>(index)].dst;
  const auto& slice = program_->slices()[static_cast<size_t>(node(index).value)];
  require(slice.life.last == 2 * static_cast<int>(buffers_.size()), name,
          ": not kept; name it in PlanOptions::keep");
  return to_nchw(b, index);
}

void Plan::read_output(const std::string& name, std::span<float> into) const {
  const int index = program_->graph().find(name);
  const Shape& shape = node(index).shape;
  require(shape.size() == 2 && static_cast<int64_t>(into.size()) <= count(shape), name,
          ": has shape ", to_string(shape), ", asked for ", into.size(), " values");
  std::memcpy(into.data(), buffers_[static_cast<size_t>(index)].dst.data, into.size_bytes());
}

void Plan::backward(std::span<const float> diff, const GradientSink& sink) {
  const int loss = program_->loss_node();
  require(loss >= 0, "plan: backward needs PlanOptions::gradients");
  const Shape& shape = node(loss).shape;
  require(static_cast<int64_t>(diff.size()) == count(shape), "plan: expected a gradient of ",
          to_string(shape), ", got ", diff.size(), " values");
  if (!gradients_[static_cast<size_t>(loss)].data) return;  // everything is frozen
  take_in(diff, shape[0], loss, gradients_[static_cast<size_t>(loss)]);
  for (size_t n = backward_.size(); n-- > 0;) {
    const Program::CompiledNode& compiled = node(static_cast<int>(n));
    for (int r : compiled.rebuild) {
      const double start = profiling_ ? now() : 0;
      // dst is where backward expects it; all else is as in forward.
      node(r).kernel->recompute(backward_[static_cast<size_t>(r)]);
      if (profiling_) profile_[static_cast<size_t>(r)].backward += now() - start;
    }
    if (!compiled.backward || !compiled.kernel) continue;
    const double start = profiling_ ? now() : 0;
    compiled.kernel->backward(backward_[n]);
    const auto& src = program_->graph().nodes()[n].src;
    for (size_t i = 0; i < src.size(); ++i)
      if (compiled.diff_src_is_added[i])
        add_to(gradients_[static_cast<size_t>(src[i])], backward_[n].diff_src[i],
               count(node(src[i]).shape), node(src[i]).dtype);
    if (profiling_) profile_[n].backward += now() - start;
    if (!sink) continue;
    for (int p : compiled.packed)
      if (program_->packed()[static_cast<size_t>(p)].trainable) sink(static_cast<size_t>(p));
  }
}

float* Plan::packed_gradient(size_t index) const {
  const auto slice = static_cast<size_t>(program_->packed()[index].gradient);
  return reinterpret_cast<float*>(static_cast<char*>(arena_.get()) +
                                  program_->arena().offsets[slice]);
}

void Plan::poison() {
  const auto fill = [](void* data, int64_t bytes) {
    std::fill_n(static_cast<float*>(data), bytes / 4, std::numeric_limits<float>::quiet_NaN());
  };
  fill(arena_.get(), program_->arena().bytes);
}

Tensor Plan::gradient(const std::string& name) const {
  const int index = program_->graph().find(name);
  const int slice = node(index).diff;
  require(slice >= 0 && program_->slices()[static_cast<size_t>(slice)].life.last ==
                            2 * static_cast<int>(buffers_.size()),
          name, ": its gradient is not kept; name it in PlanOptions::keep_gradients");
  return to_nchw(gradients_[static_cast<size_t>(index)], index);
}

Tensor Plan::unpack(const PackedParameter& p, const void* packed) const {
  Tensor out(p.shape);
  onednn::reorder_once(p.desc, packed, onednn::canonical_like(p.desc), out.raw());
  return out;
}

void Plan::pack(const PackedParameter& p, const Tensor& canonical, const Tensor& packed) const {
  require(canonical.shape() == p.shape, p.name, ": expected ", to_string(p.shape), ", got ",
          to_string(canonical.shape()));
  onednn::reorder_once(onednn::canonical_like(p.desc), canonical.raw(), p.desc, packed.raw());
}

Tensor Plan::parameter_gradient(const std::string& name) const {
  require(program_->options().keep_parameter_gradients, name,
          ": gradients are not kept; set PlanOptions::keep_parameter_gradients");
  const auto& packed = program_->packed();
  for (size_t i = 0; i < packed.size(); ++i)
    if (packed[i].name == name && packed[i].trainable) return unpack(packed[i], packed_gradient(i));
  fail("parameter '", name, "' has no gradient in this plan");
}

void Plan::store(Parameters& parameters) const {
  for (const PackedParameter& p : program_->packed())
    if (p.changes && !p.value.empty()) parameters.set(p.name, unpack(p, p.value.raw()));
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
