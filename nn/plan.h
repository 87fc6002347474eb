#pragma once
#include <atomic>
#include <functional>

#include "limbic/nn/compile/program.h"

namespace limbic {

/// How to compute a graph: a Program (what is compiled, shared) and a workspace (what is written).
/// After it is made, a run allocates nothing and makes no primitive.
///
///     Plan plan(graph, parameters, PlanOptions::inference({1, 3, 224, 224}));
///     plan.run(images);
///     Tensor logits = plan.output("logits");
class Plan {
 public:
  Plan(const Graph& graph, const Parameters& parameters, PlanOptions options)
      : Plan(std::make_shared<Program>(graph, parameters, std::move(options))) {}
  /// Another workspace over the same program, for another thread.
  explicit Plan(std::shared_ptr<Program> program);
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  const Shape& input_shape() const { return program_->options().input; }
  Program& program() { return *program_; }
  const Program& program() const { return *program_; }

  /// Forward. images: (n,C,H,W) f32 with n from 1 to the plan's N; the rows beyond n are zeros.
  /// One thread at a time: another needs a Plan of its own over the same program. Throws Error.
  void run(const Tensor& images);
  /// A copy of a kept activation of the last run, NCHW or (N,C). Throws Error before there is one.
  Tensor output(const std::string& name) const;
  /// Copies an output's (N,C) rows into `into` without allocating.
  void read_output(const std::string& name, std::span<float> into) const;

  /// Called with the index in program().packed() of a parameter whose gradient has been computed.
  using GradientSink = std::function<void(size_t)>;
  /// Backward from the gradient of the loss with respect to options().loss_at, NCHW or (N,C), once
  /// after each run: it writes over what the run has left. Calls
  /// the sink for each trainable parameter as soon as backward no longer needs its value: the sink
  /// may change it.
  void backward(std::span<const float> diff, const GradientSink& sink = {});
  /// The gradient of program().packed()[index]: in the sink, or after backward where it is kept.
  float* packed_gradient(size_t index) const;
  /// A copy of a kept gradient (options().keep_gradients, or "input"), NCHW.
  Tensor gradient(const std::string& name) const;
  /// The gradient of a parameter in canonical layout; throws Error if it has none.
  Tensor parameter_gradient(const std::string& name) const;

  /// Reads a packed array (a value, a gradient, a momentum) as a canonical tensor, and back.
  Tensor unpack(const PackedParameter& parameter, const void* packed) const;
  void pack(const PackedParameter& parameter, const Tensor& canonical, const Tensor& packed) const;

  /// Writes the trained values and running statistics to `parameters`.
  void store(Parameters& parameters) const;
  /// After it the plan computes with `parameters`, as one made anew would (Program::refresh). A
  /// run's outputs stay; backward needs a run with the new values.
  void refresh(const Parameters& parameters);

  /// Expires with the plan: for what refers to it.
  std::weak_ptr<void> lifetime() const { return workspace_; }

  /// Randomness of the next run; training sets it to the step.
  void set_step(uint64_t step) { state_.step = step; }
  uint64_t step() const { return state_.step; }

  /// Runs the images and says where values stopped being finite: "input", or the first node, in the
  /// order of computing, whose output holds NaN or infinity; empty where none does.
  std::string first_not_finite(const Tensor& images);

  int64_t arena_bytes() const { return program_->arena().bytes; }

  /// Called after each node of the runs that follow with its output, unless that is stored in 8
  /// bits, until it is set to an empty function.
  using Observer = std::function<void(const std::string& name, std::span<const float> values)>;
  void observe(Observer observer) { observer_ = std::move(observer); }

  /// Times each node of the runs that follow.
  void set_profiling(bool on);
  struct NodeTime {
    std::string name, type, implementation;
    double forward = 0, backward = 0;  ///< Seconds, summed over runs.
  };
  const std::vector<NodeTime>& profile() const { return profile_; }

 private:
  Buffer buffer(int slice) const;
  const Program::CompiledNode& node(int index) const {
    return program_->nodes()[static_cast<size_t>(index)];
  }
  class Use;  // one call's hold on the workspace
  enum class State { made, run, refreshed, backward };

  void forward_node(size_t n);
  void backward_node(size_t n, const GradientSink& sink);
  void poison(int step, bool before) const;
  void show(size_t n) const;
  void require_run(const char* what) const;
  void bind(Buffers& buffers, int node, bool in_backward) const;
  void take_in(std::span<const float> nchw, int64_t images, int node, const Buffer& buffer) const;
  Tensor to_nchw(const Buffer& buffer, int node) const;

  std::shared_ptr<Program> program_;
  std::shared_ptr<void> workspace_;  ///< Program::open_workspace
  std::shared_ptr<void> arena_;
  std::atomic_flag in_use_;
  State state_of_run_ = State::made;
  std::vector<Buffers> buffers_;   ///< Of forward.
  std::vector<Buffers> backward_;  ///< Of backward: rebuilt values lie elsewhere.
  std::vector<Buffer> gradients_;  ///< Of each node's value.
  RunState state_;
  int64_t training_runs_ = 0;  ///< Since the parameters were taken over.
  Observer observer_;
  bool profiling_ = false;
  std::vector<NodeTime> profile_;
};

}  // namespace limbic
