#pragma once
#include <memory>
#include <span>

#include "limbic/core/parameters.h"
#include "limbic/nn/graph/graph.h"
#include "limbic/nn/graph/plan_options.h"
#include "limbic/nn/graph/watch.h"

namespace limbic {

class Program;
struct PackedParameter;

/// How to compute a graph: a Program (what is compiled, shared) and a workspace (what is written).
/// After it is made, a run allocates nothing and makes no primitive.
///
///     Plan plan(graph, parameters, PlanOptions::inference({8, 3, 224, 224}));
///     plan.run(images);
///     Tensor logits = plan.output("logits");
class Plan {
 public:
  Plan(const Graph& graph, const Parameters& parameters, PlanOptions options);
  /// The same network and options for another number or size of pictures, with the same packed
  /// weights, so that it is made quickly and takes little memory: what refreshes one, refreshes
  /// both. Throws Error where `like` trains.
  Plan(const Plan& like, Shape input);
  /// Another workspace over the same program, for another thread.
  explicit Plan(std::shared_ptr<Program> program);
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan();

  const Shape& input_shape() const;
  /// nn/compile/program.h.
  Program& program() { return *program_; }
  const Program& program() const { return *program_; }

  /// Forward. images: (n,C,H,W) f32 with n from 1 to the plan's N. An inference plan computes no
  /// more than n pictures: the first run of fewer than N makes the program for as many. Another
  /// plan takes zeros for the rows beyond n. One thread at a time: another needs a Plan of its own
  /// over the same program. Throws Error.
  void run(const Tensor& images);
  /// A copy of a kept activation of the last run, NCHW or (N,C), of as many pictures as the run
  /// had. Throws Error before there is one.
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
  /// After it the plan computes with `parameters`, as one made anew would, and so does every plan
  /// with the same packed weights. A run's outputs stay; backward needs a run with the new values.
  void refresh(const Parameters& parameters);

  /// Expires with the plan: for what refers to it.
  std::weak_ptr<void> lifetime() const;

  /// Randomness of the next run; training sets it to the step.
  void set_step(uint64_t step);
  uint64_t step() const;

  /// Runs the images and says where values stopped being finite: "input", or the first node, in the
  /// order of computing, whose output holds NaN or infinity; empty where none does.
  std::string first_not_finite(const Tensor& images);

  int64_t arena_bytes() const;

  /// Called after each node of the runs that follow with its output, unless that is stored in 8
  /// bits, until it is set to an empty function.
  using Observer = std::function<void(const std::string& name, std::span<const float> values)>;
  void observe(Observer observer);

  /// Times each node of the runs that follow.
  void set_profiling(bool on);
  const std::vector<NodeTime>& profile() const;

 private:
  struct State;
  class Use;  // one call's hold on the workspaces

  void require_run(const char* what) const;

  std::shared_ptr<Program> program_;
  std::unique_ptr<State> state_;
};

}  // namespace limbic
