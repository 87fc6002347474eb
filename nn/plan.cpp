#include "limbic/nn/plan.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "limbic/core/clock.h"
#include "limbic/core/finite.h"
#include "limbic/core/parallel.h"
#include "limbic/nn/ops/elementwise.h"

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

// The kernels split their work by the number of threads for which they were made, whoever calls,
// and a workspace serves one caller at a time.
class Plan::Use {
 public:
  explicit Use(Plan& plan) : plan_(plan), scope_(plan.program_->threads()) {
    require(!plan_.in_use_.test_and_set(),
            "a plan is being run by another thread: give each a Plan over the same Program");
  }
  ~Use() { plan_.in_use_.clear(); }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  Plan& plan_;
  ThreadScope scope_;
};

Plan::Plan(std::shared_ptr<Program> program)
    : program_(std::move(program)),
      workspace_(program_->open_workspace()),
      arena_(allocate_aligned(program_->arena().bytes)) {
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
  require(images.rank() == 4 && images.dim(0) >= 1 && images.dim(0) <= shape[0] &&
              images.dim(1) == shape[1] && images.dim(2) == shape[2] && images.dim(3) == shape[3],
          "plan: expected images ", to_string(shape), " or fewer, got ", to_string(images.shape()));
  const std::span<const float> values = images.values();
  const Use use(*this);
  state_of_run_ = State::made;
  poison(0, true);
  take_in(values, images.dim(0), 0, buffers_[0].dst);
  for (size_t n = 1; n < buffers_.size(); ++n)
    if (node(static_cast<int>(n)).kernel) forward_node(n);
  if (program_->options().batch_statistics) ++training_runs_;
  state_of_run_ = State::run;
}

void Plan::forward_node(size_t n) {
  const Program::CompiledNode& compiled = node(static_cast<int>(n));
  const double start = profiling_ ? now() : 0;
  poison(static_cast<int>(n), true);
  if (compiled.copied_from >= 0)
    copy_to(buffers_[n].dst, buffers_[static_cast<size_t>(compiled.copied_from)].dst,
            count(compiled.shape) * size_of(node(compiled.copied_from).dtype));
  compiled.kernel->forward(buffers_[n]);
  if (profiling_) profile_[n].forward += now() - start;
  if (observer_) show(n);
  poison(static_cast<int>(n), false);
}

// Before a step what it is the first to use, after it what it is the last to use; and no step
// writes behind what is in use.
void Plan::poison(int step, bool before) const {
  if (!program_->options().poison) return;
  constexpr char untouched = '!';
  const auto& slices = program_->slices();
  for (size_t i = 0; i < slices.size(); ++i) {
    const auto& [desc, life, alias] = slices[i];
    if (alias >= 0 || step < life.first || step > life.last) continue;
    char* data = static_cast<char*>(arena_.get()) + program_->arena().offsets[i];
    const std::span<char> guard(data + life.bytes, PlanOptions::guard);
    const int nodes = static_cast<int>(buffers_.size());
    if (!before)
      require(std::all_of(guard.begin(), guard.end(), [](char c) { return c == untouched; }),
              program_->graph().node(step < nodes ? step : 2 * nodes - 1 - step).name,
              ": its kernel wrote beyond the end of a buffer");
    if (step != (before ? life.first : life.last)) continue;
    // Eight-bit values have no NaN: 255 where they are unsigned, -128 where they are not.
    std::memset(data, onednn::is_signed_8_bit(desc) ? 0x80 : 0xFF, static_cast<size_t>(life.bytes));
    std::fill(guard.begin(), guard.end(), untouched);
  }
}

std::string Plan::first_not_finite(const Tensor& images) {
  if (!all_finite(images.values())) return "input";
  std::string first;
  Observer before = std::exchange(observer_, [&](const std::string& name, auto values) {
    if (first.empty() && !all_finite(values)) first = name;
  });
  run(images);
  observer_ = std::move(before);
  return first;
}

// Shows a node's output to the observer, in f32.
void Plan::show(size_t n) const {
  const Program::CompiledNode& compiled = node(static_cast<int>(n));
  if (!is_wide(compiled.dtype)) return;
  const auto size = static_cast<size_t>(count(compiled.shape));
  const std::string& name = program_->graph().nodes()[n].name;
  if (compiled.dtype == DType::f32) return observer_(name, {buffers_[n].dst.f32(), size});
  std::vector<float> values;
  for (size_t i = 0; i < size; ++i) values.push_back(to_f32(buffers_[n].dst.as<BFloat16>()[i]));
  observer_(name, values);
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

void Plan::require_run(const char* what) const {
  require(state_of_run_ != State::made, "plan: ", what, " was asked for before a run");
}

Tensor Plan::output(const std::string& name) const {
  const int index = program_->kept(name);
  require_run("an output");
  return to_nchw(buffers_[static_cast<size_t>(index)].dst, index);
}

void Plan::read_output(const std::string& name, std::span<float> into) const {
  const int index = program_->kept(name);
  require_run("an output");
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
  require_run("backward");
  // oneDNN has split the gradients of weights by threads that it would not get here.
  require(
      program_->threads() == 1 || !in_parallel_region(),
      "plan: backward was called within an OpenMP parallel region: call it outside, or make the "
      "plan with set_threads(1)");
  require(
      state_of_run_ != State::refreshed,
      "plan: backward was called after a refresh: the run was made with other values, run again");
  require(state_of_run_ == State::run,
          "plan: backward was called twice after one run, which has been written over: run first");
  const Use use(*this);
  state_of_run_ = State::backward;
  const Buffer& start = gradients_[static_cast<size_t>(loss)];
  if (!start.data) return;  // everything is frozen
  poison(static_cast<int>(backward_.size()), true);
  take_in(diff, shape[0], loss, start);
  for (size_t n = backward_.size(); n-- > 0;) backward_node(n, sink);
}

void Plan::backward_node(size_t n, const GradientSink& sink) {
  const Program::CompiledNode& compiled = node(static_cast<int>(n));
  const int step = 2 * static_cast<int>(backward_.size()) - 1 - static_cast<int>(n);
  if (n + 1 < backward_.size()) poison(step, true);  // the first step's memory holds diff already
  for (int r : compiled.rebuild) {
    const double start = profiling_ ? now() : 0;
    // dst is where backward expects it; all else is as in forward.
    node(r).kernel->recompute(backward_[static_cast<size_t>(r)]);
    if (profiling_) profile_[static_cast<size_t>(r)].backward += now() - start;
  }
  if (compiled.backward && compiled.kernel) {
    const double start = profiling_ ? now() : 0;
    compiled.kernel->backward(backward_[n]);
    const auto& src = program_->graph().nodes()[n].src;
    for (size_t i = 0; i < src.size(); ++i)
      if (compiled.diff_src_is_added[i])
        add_to(gradients_[static_cast<size_t>(src[i])], backward_[n].diff_src[i],
               count(node(src[i]).shape), node(src[i]).dtype);
    if (profiling_) profile_[n].backward += now() - start;
    for (int p : compiled.packed)
      if (sink && program_->packed()[static_cast<size_t>(p)].trainable)
        sink(static_cast<size_t>(p));
  }
  poison(step, false);
}

float* Plan::packed_gradient(size_t index) const {
  const auto& packed = program_->packed();
  require(index < packed.size() && packed[index].gradient >= 0, "plan: packed parameter ", index,
          " of ", packed.size(), " has no gradient");
  return reinterpret_cast<float*>(
      static_cast<char*>(arena_.get()) +
      program_->arena().offsets[static_cast<size_t>(packed[index].gradient)]);
}

Tensor Plan::gradient(const std::string& name) const {
  const int index = program_->kept_gradient(name);
  require(state_of_run_ == State::backward, "plan: a gradient was asked for before backward");
  require(gradients_[static_cast<size_t>(index)].data != nullptr, name,
          ": it has no gradient, as everything behind it is frozen");
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
  require(state_of_run_ == State::backward, "plan: a gradient was asked for before backward");
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
    if (!node(static_cast<int>(n)).batch_statistics) continue;
    for (const std::string& name : nodes[n].parameters) {
      const auto tracked = program_->batches_tracked().find(name);
      if (tracked == program_->batches_tracked().end()) continue;
      const std::vector<int64_t> total = {tracked->second + training_runs_};
      parameters.set(name, Tensor::of(total, {}));
    }
  }
}

void Plan::refresh(const Parameters& parameters) {
  const Use use(*this);
  program_->refresh(parameters);
  training_runs_ = 0;
  if (state_of_run_ == State::run) state_of_run_ = State::refreshed;
}

void Plan::set_profiling(bool on) {
  profiling_ = on;
  for (auto& time : profile_) time.forward = time.backward = 0;
}

}  // namespace limbic
