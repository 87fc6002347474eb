#include "limbic/nn/plan.h"

#include <atomic>
#include <cstring>
#include <map>
#include <utility>

#include "limbic/core/finite.h"
#include "limbic/core/parallel.h"
#include "limbic/nn/compile/workspace.h"

namespace limbic {

struct Plan::State {
  explicit State(const std::shared_ptr<Program>& program)
      : use(program->open_workspace()), whole(program, run, {}), last(&whole) {
    run.seed = program->options().seed;
    for (int n = 0; n < program->graph().size(); ++n) {
      const Node& node = program->graph().node(n);
      const Kernel* kernel = program->kernel(n);
      watch.profile.push_back({node.name, node.op ? node.op->type() : "input",
                               kernel ? kernel->implementation() : "limbic"});
    }
  }

  // The workspace for a run of so many pictures.
  Workspace& of(int64_t n) {
    const PlanOptions& options = whole.program().options();
    if (n == options.input[0] || options.gradients || options.batch_statistics) return whole;
    auto found = smaller.find(n);
    if (found == smaller.end()) found = smaller.emplace(n, make(n)).first;
    return found->second ? *found->second : whole;
  }

  // In the whole one's memory. Null where a kernel packs its weights otherwise for fewer pictures:
  // then zeros take the place of those that lack.
  std::unique_ptr<Workspace> make(int64_t n) {
    Shape shape = whole.program().options().input;
    shape[0] = n;
    try {
      auto program = std::make_shared<Program>(whole.program(), shape);
      return std::make_unique<Workspace>(std::move(program), run, whole.arena());
    } catch (const Error&) {
      return nullptr;
    }
  }

  std::shared_ptr<void> use;
  RunState run;
  Watch watch;
  Workspace whole;
  std::map<int64_t, std::unique_ptr<Workspace>> smaller;  // of fewer pictures, in the same memory
  Workspace* last;                                        // that has run
  int64_t images = 0;                                     // of the last run
  enum class Progress { made, run, refreshed, backward } progress = Progress::made;
  int64_t training_runs = 0;  // since the parameters were taken over
  std::atomic_flag in_use;
};

// The kernels split their work by the number of threads for which they were made, whoever calls,
// and a workspace serves one caller at a time.
class Plan::Use {
 public:
  explicit Use(State& state) : state_(state), scope_(state.whole.program().threads()) {
    require(!state_.in_use.test_and_set(),
            "a plan is being run by another thread: give each a Plan over the same Program");
  }
  ~Use() { state_.in_use.clear(); }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  State& state_;
  ThreadScope scope_;
};

Plan::Plan(const Graph& graph, const Parameters& parameters, PlanOptions options)
    : Plan(std::make_shared<Program>(graph, parameters, std::move(options))) {}

Plan::Plan(const Plan& like, Shape input)
    : Plan(std::make_shared<Program>(like.program(), std::move(input))) {}

Plan::Plan(std::shared_ptr<Program> program)
    : program_(std::move(program)), state_(std::make_unique<State>(program_)) {}

Plan::~Plan() = default;

const Shape& Plan::input_shape() const { return program_->options().input; }

void Plan::run(const Tensor& images) {
  const Shape& shape = input_shape();
  require(images.rank() == 4 && images.dim(0) >= 1 && images.dim(0) <= shape[0] &&
              images.dim(1) == shape[1] && images.dim(2) == shape[2] && images.dim(3) == shape[3],
          "plan: expected images ", to_string(shape), " or fewer, got ", to_string(images.shape()));
  const std::span<const float> values = images.values();
  const Use use(*state_);
  state_->progress = State::Progress::made;
  state_->last = &state_->of(images.dim(0));
  state_->images = images.dim(0);
  state_->last->forward(values, images.dim(0), state_->watch);
  if (program_->options().batch_statistics) ++state_->training_runs;
  state_->progress = State::Progress::run;
}

void Plan::require_run(const char* what) const {
  require(state_->progress != State::Progress::made, "plan: ", what, " was asked for before a run");
}

Tensor Plan::output(const std::string& name) const {
  const int node = program_->kept(name);
  require_run("an output");
  return state_->last->value(node).rows(0, state_->images);
}

void Plan::read_output(const std::string& name, std::span<float> into) const {
  const int node = program_->kept(name);
  require_run("an output");
  const Shape& shape = state_->last->program().shape(node);
  require(shape.size() == 2 && static_cast<int64_t>(into.size()) <= count(shape), name,
          ": has shape ", to_string(shape), ", asked for ", into.size(), " values");
  std::memcpy(into.data(), state_->last->buffer_of(node).data, into.size_bytes());
}

void Plan::backward(std::span<const float> diff, const GradientSink& sink) {
  using Progress = State::Progress;
  require(program_->options().gradients, "plan: backward needs PlanOptions::gradients");
  const int loss = *program_->roles().loss;
  const Shape& shape = program_->shape(loss);
  require(static_cast<int64_t>(diff.size()) == count(shape), "plan: expected a gradient of ",
          to_string(shape), ", got ", diff.size(), " values");
  require_run("backward");
  // oneDNN has split the gradients of weights by threads that it would not get here.
  require(
      program_->threads() == 1 || !in_parallel_region(),
      "plan: backward was called within an OpenMP parallel region: call it outside, or make the "
      "plan with set_threads(1)");
  require(
      state_->progress != Progress::refreshed,
      "plan: backward was called after a refresh: the run was made with other values, run again");
  require(state_->progress == Progress::run,
          "plan: backward was called twice after one run, which has been written over: run first");
  const Use use(*state_);
  state_->progress = Progress::backward;
  // Without a gradient at the loss everything is frozen.
  if (state_->whole.has_gradient(loss)) state_->whole.backward(diff, sink, state_->watch);
}

float* Plan::packed_gradient(size_t index) const {
  const auto& packed = program_->packed();
  require(index < packed.size() && packed[index].trainable, "plan: packed parameter ", index,
          " of ", packed.size(), " has no gradient");
  return state_->whole.packed_gradient(index);
}

Tensor Plan::gradient(const std::string& name) const {
  const int node = program_->kept_gradient(name);
  require(state_->progress == State::Progress::backward,
          "plan: a gradient was asked for before backward");
  require(state_->whole.has_gradient(node), name,
          ": it has no gradient, as everything behind it is frozen");
  return state_->whole.gradient(node);
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
  require(state_->progress == State::Progress::backward,
          "plan: a gradient was asked for before backward");
  const auto& packed = program_->packed();
  for (size_t i = 0; i < packed.size(); ++i)
    if (packed[i].name == name && packed[i].trainable) return unpack(packed[i], packed_gradient(i));
  fail("parameter '", name, "' has no gradient in this plan");
}

void Plan::store(Parameters& parameters) const {
  for (const PackedParameter& p : program_->packed())
    if (p.changes && !p.value.empty()) parameters.set(p.name, unpack(p, p.value.raw()));
  const auto& tracked = program_->weights().batches_tracked();
  for (int n = 1; n < program_->graph().size(); ++n) {
    if (!program_->uses_batch_statistics(n)) continue;
    for (const std::string& name : program_->graph().node(n).parameters)
      if (const auto before = tracked.find(name); before != tracked.end()) {
        const std::vector<int64_t> total = {before->second + state_->training_runs};
        parameters.set(name, Tensor::of(total, {}));
      }
  }
}

void Plan::refresh(const Parameters& parameters) {
  const Use use(*state_);
  program_->refresh(parameters);
  state_->training_runs = 0;
  if (state_->progress == State::Progress::run) state_->progress = State::Progress::refreshed;
}

std::weak_ptr<void> Plan::lifetime() const { return state_->use; }

void Plan::set_step(uint64_t step) { state_->run.step = step; }
uint64_t Plan::step() const { return state_->run.step; }

std::string Plan::first_not_finite(const Tensor& images) {
  if (!all_finite(images.values())) return "input";
  std::string first;
  Observer before =
      std::exchange(state_->watch.observer, [&](const std::string& name, auto values) {
        if (first.empty() && !all_finite(values)) first = name;
      });
  run(images);
  state_->watch.observer = std::move(before);
  return first;
}

int64_t Plan::arena_bytes() const { return program_->memory().arena.bytes; }

void Plan::observe(Observer observer) { state_->watch.observer = std::move(observer); }

void Plan::set_profiling(bool on) {
  state_->watch.profiling = on;
  for (auto& time : state_->watch.profile) time.forward = time.backward = 0;
}

const std::vector<NodeTime>& Plan::profile() const { return state_->watch.profile; }

}  // namespace limbic
