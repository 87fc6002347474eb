#include "limbic/nn/compile/workspace.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "limbic/core/address_space.h"
#include "limbic/core/clock.h"
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

// Adds the seconds of its own life to `sum`, where somebody wants them.
class Timer {
 public:
  Timer(bool on, double& sum) : sum_(on ? &sum : nullptr), start_(on ? now() : 0) {}
  ~Timer() {
    if (sum_) *sum_ += now() - start_;
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  double* sum_;
  double start_;
};

}  // namespace

Workspace::Workspace(std::shared_ptr<Program> program, const RunState& state, Arena arena)
    : program_(std::move(program)),
      state_(state),
      arena_(std::move(arena)),
      steps_{program_->graph().size()},
      buffers_(steps_.nodes),
      backward_(steps_.nodes),
      gradients_(steps_.nodes) {
  // A thread that the system refuses is refused here, and not within a loop of oneDNN.
  parallel_ranges(threads(), [](int64_t, int64_t) {});
  const int64_t bytes = program_->memory().arena.bytes;
  if (arena_.bytes < bytes) arena_ = {allocate_aligned(bytes), bytes};
  for (int n = 0; n < steps_.nodes; ++n) gradients_[n] = buffer(memory(n).diff);
  for (int n = 0; n < steps_.nodes; ++n) {
    for (const auto& slice : memory(n).diff_packed) packed_gradients_.push_back(buffer(slice));
    bind(buffers_[n], n, false);
    if (program_->has_backward(n)) bind(backward_[n], n, true);
  }
}

Buffer Workspace::buffer(std::optional<int> slice) const {
  if (!slice) return {};
  const auto index = static_cast<size_t>(*slice);
  const Memory& memory = program_->memory();
  void* data = static_cast<char*>(arena_.memory.get()) + memory.arena.offsets[index];
  return {dnnl::memory(memory.slices[index].desc, onednn::engine(), data), data};
}

void Workspace::bind(Buffers& b, int n, bool in_backward) const {
  const auto value = [&](int of) {
    const bool again = in_backward && memory(of).value_again;
    return buffer(again ? *memory(of).value_again : memory(of).value);
  };
  b.dst = value(n);
  b.diff_dst = gradients_[n];
  b.run = &state_;
  if (!program_->kernel(n)) return;
  const auto& src = program_->graph().node(n).src;
  for (int s : src) b.src.push_back(value(s));
  for (const auto& diff : memory(n).diff_src) {
    b.diff_src.push_back(buffer(diff.slice));
    b.add_diff_src.push_back(diff.kernel_adds);
  }
  b.diff_src.resize(src.size());
  b.add_diff_src.resize(src.size());
  for (int extra : memory(n).extras) b.extra.push_back(buffer(extra));
  const PackedWeights& weights = program_->weights();
  for (size_t i = weights.first(n); i < weights.end(n); ++i) {
    b.packed.push_back(weights.parameters()[i].buffer());
    b.diff_packed.push_back(packed_gradients_[i]);
  }
}

// Images (n,C,H,W) or rows (n,C) into the layout and dtype of a node's values; the images beyond n
// become zeros.
void Workspace::take_in(std::span<const float> nchw, int64_t images, int n,
                        const Buffer& buffer) const {
  const Shape& shape = program_->shape(n);
  const int64_t channels = shape[1], per_image = count(shape) / shape[0];
  with_element(program_->stored(n).dtype, [&]<class T>(T) {
    parallel_for(shape[0], [&](int64_t image) {
      T* out = buffer.as<T>() + image * per_image;
      if (image < images)
        transpose(nchw.data() + image * per_image, out, channels, per_image / channels);
      else
        std::fill(out, out + per_image, T{});
    });
  });
}

Tensor Workspace::to_nchw(const Buffer& b, int n) const {
  const Shape& shape = program_->shape(n);
  Tensor out(shape);
  const int64_t per_image = count(shape) / shape[0];
  with_element(program_->stored(n).dtype, [&]<class T>(T) {
    parallel_for(shape[0], [&](int64_t image) {
      transpose(b.as<T>() + image * per_image, out.data() + image * per_image, per_image / shape[1],
                shape[1]);
    });
  });
  return out;
}

// oneDNN makes code in its first runs, and does not look whether there was room for it.
void Workspace::require_room_for_code(bool& asked) {
  if (!std::exchange(asked, true)) require_address_space(int64_t{64} << 20, "oneDNN");
}

void Workspace::forward(std::span<const float> values, int64_t images, Watch& watch) {
  require_room_for_code(ran_forward_);
  poison(steps_.forward(0), true);
  take_in(values, images, 0, buffers_[0].dst);
  for (int n = 1; n < steps_.nodes; ++n) forward_node(n, watch);
}

void Workspace::forward_node(int n, Watch& watch) {
  poison(steps_.forward(n), true);
  {
    const Timer timer(watch.profiling, watch.profile[static_cast<size_t>(n)].forward);
    if (const auto from = memory(n).copied_from)
      copy_to(buffers_[n].dst, buffers_[*from].dst,
              count(program_->shape(n)) * size_of(program_->stored(*from).dtype));
    program_->kernel(n)->forward(buffers_[n]);
  }
  if (watch.observer) show(n, watch);
  poison(steps_.forward(n), false);
}

void Workspace::backward(std::span<const float> diff, const std::function<void(size_t)>& sink,
                         Watch& watch) {
  require_room_for_code(ran_backward_);
  const int loss = *program_->roles().loss;
  poison(steps_.loss(), true);
  take_in(diff, program_->shape(loss)[0], loss, gradients_[loss]);
  for (int n = steps_.nodes; n-- > 0;) backward_node(n, sink, watch);
}

void Workspace::backward_node(int n, const std::function<void(size_t)>& sink, Watch& watch) {
  // The first step's memory holds diff already.
  if (steps_.backward(n) != steps_.loss()) poison(steps_.backward(n), true);
  for (int r : memory(n).rebuild) {
    const Timer timer(watch.profiling, watch.profile[static_cast<size_t>(r)].backward);
    // dst is where backward expects it; all else is as in forward.
    program_->kernel(r)->recompute(backward_[r]);
  }
  if (program_->has_backward(n) && program_->kernel(n)) {
    const Timer timer(watch.profiling, watch.profile[static_cast<size_t>(n)].backward);
    program_->kernel(n)->backward(backward_[n]);
    const auto& src = program_->graph().node(n).src;
    for (size_t i = 0; i < src.size(); ++i)
      if (memory(n).diff_src[i].plan_adds)
        add_to(gradients_[src[i]], backward_[n].diff_src[i], count(program_->shape(src[i])),
               program_->stored(src[i]).dtype);
  }
  const PackedWeights& weights = program_->weights();
  if (sink && program_->has_backward(n))
    for (size_t i = weights.first(n); i < weights.end(n); ++i)
      if (weights.parameters()[i].trainable) sink(i);
  poison(steps_.backward(n), false);
}

// Before a step what it is the first to use, after it what it is the last to use; and no step
// writes behind what is in use.
void Workspace::poison(int step, bool before) const {
  if (!program_->options().poison) return;
  constexpr char untouched = '!';
  const Memory& memory = program_->memory();
  for (size_t i = 0; i < memory.slices.size(); ++i) {
    const auto& [desc, life, alias] = memory.slices[i];
    if (alias || step < life.first || step > life.last) continue;
    char* data = static_cast<char*>(arena_.memory.get()) + memory.arena.offsets[i];
    const std::span<char> guard(data + life.bytes, PlanOptions::guard);
    if (!before)
      require(std::all_of(guard.begin(), guard.end(), [](char c) { return c == untouched; }),
              program_->graph().node(steps_.node_of(step)).name,
              ": its kernel wrote beyond the end of a buffer");
    if (step != (before ? life.first : life.last)) continue;
    // Eight-bit values have no NaN: 255 where they are unsigned, -128 where they are not.
    std::memset(data, onednn::is_signed_8_bit(desc) ? 0x80 : 0xFF, static_cast<size_t>(life.bytes));
    std::fill(guard.begin(), guard.end(), untouched);
  }
}

// Shows a node's output to the observer, in f32.
void Workspace::show(int n, const Watch& watch) const {
  const DType dtype = program_->stored(n).dtype;
  if (!is_wide(dtype)) return;
  const auto size = static_cast<size_t>(count(program_->shape(n)));
  const std::string& name = program_->graph().node(n).name;
  if (dtype == DType::f32) return watch.observer(name, {buffers_[n].dst.f32(), size});
  std::vector<float> values;
  for (size_t i = 0; i < size; ++i) values.push_back(to_f32(buffers_[n].dst.as<BFloat16>()[i]));
  watch.observer(name, values);
}

}  // namespace limbic
