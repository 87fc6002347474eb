// conformance_driver CASES RESULTS: computes networks that somebody else's program describes, so
// that it can hold what comes out against its own.
//
// CASES is a .safetensors file whose metadata holds, as JSON,
//   "cases": [{"name", "batch", "channels", "height", "width", "nodes": [...], "plans": [...],
//              "loss": {...}, "sgd": {...}}], the last two optional
//   "schedules": [{"name", "kind", "warmup", "step_every", "one_cycle_rise", "base", "total"}]
// and whose tensors are NAME/images (steps * batch,C,H,W), NAME/PARAMETER, NAME/diff (the gradient
// that backward begins with where there is no loss) and NAME/velocity.PARAMETER (of sgd). A node
// names its op, its parameters' path and its sources: 0 is the picture, i + 1 is node i's value.
//
// RESULTS holds NAME/PLAN/WHAT with WHAT one of v7 (a value that the plan keeps), loss (of each
// step), gradient.v7, gradient.PARAMETER, stored.PARAMETER, velocity.PARAMETER; schedule/NAME; and
// as metadata the messages of the Errors: {"NAME/PLAN": message}.
#include <iostream>
#include <nlohmann/json.hpp>

#include "limbic/core/parallel.h"
#include "limbic/nn/compile/program.h"
#include "limbic/nn/loss.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/concat.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/local_response_norm.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/reshape.h"
#include "limbic/nn/ops/softmax.h"
#include "limbic/train/optimiser.h"
#include "limbic/train/schedule.h"
#include "limbic/weights/safetensors.h"

using namespace limbic;
using namespace limbic::train;
using namespace limbic::weights;
using Json = nlohmann::json;
using Tensors = std::map<std::string, Tensor>;

namespace {

Size2 size(const Json& pair) { return {pair.at(0).get<int64_t>(), pair.at(1).get<int64_t>()}; }
Padding padding(const Json& p) {
  return {p.at(0).get<int64_t>(), p.at(1).get<int64_t>(), p.at(2).get<int64_t>(),
          p.at(3).get<int64_t>()};
}

Pool2dOptions pool_options(const Json& node) {
  return {.kernel_size = size(node.at("kernel_size")),
          .stride = size(node.at("stride")),
          .padding = padding(node.at("padding")),
          .ceil_mode = node.at("ceil_mode"),
          .count_include_pad = node.at("count_include_pad")};
}

Value append(const Scope& scope, const Json& node, const std::vector<Value>& src) {
  const std::string op = node.at("op");
  if (op == "conv2d")
    return conv2d(scope, src.at(0),
                  {.out_channels = node.at("out_channels"),
                   .kernel_size = size(node.at("kernel_size")),
                   .stride = size(node.at("stride")),
                   .padding = padding(node.at("padding")),
                   .dilation = size(node.at("dilation")),
                   .groups = node.at("groups"),
                   .bias = node.at("bias")});
  if (op == "linear")
    return linear(scope, src.at(0),
                  {.out_features = node.at("out_features"), .bias = node.at("bias")});
  if (op == "batch_norm")
    return batch_norm(scope, src.at(0),
                      {.epsilon = node.at("epsilon"), .momentum = node.at("momentum")});
  if (op == "max_pool2d") return max_pool2d(src.at(0), pool_options(node));
  if (op == "avg_pool2d") return avg_pool2d(src.at(0), pool_options(node));
  if (op == "adaptive_avg_pool2d") return adaptive_avg_pool2d(src.at(0), size(node.at("output")));
  if (op == "slice_pad")
    return slice_pad(src.at(0), {.stride = size(node.at("stride")),
                                 .channels_before = node.at("before"),
                                 .channels_after = node.at("after")});
  if (op == "global_avg_pool") return global_avg_pool(src.at(0));
  if (op == "relu") return relu(src.at(0));
  if (op == "relu6") return relu6(src.at(0));
  if (op == "dropout") return dropout(src.at(0), node.at("probability"));
  if (op == "flatten") return flatten(src.at(0));
  if (op == "softmax") return softmax(src.at(0));
  if (op == "local_response_norm")
    return local_response_norm(src.at(0), {.size = node.at("size"),
                                           .alpha = node.at("alpha"),
                                           .beta = node.at("beta"),
                                           .k = node.at("k")});
  if (op == "add") return add(src.at(0), src.at(1));
  if (op == "concat") return concat(src);
  fail("unknown op ", op);
}

std::string label_of(int64_t value) { return value == 0 ? "input" : str_cat("v", value); }

Graph build(const Json& c) {
  Graph graph;
  std::vector<Value> values = {graph.input(c.at("channels"))};
  for (const Json& node : c.at("nodes")) {
    std::vector<Value> src;
    for (const size_t s : node.at("src")) src.push_back(values.at(s));
    values.push_back(append(graph.root() / node.at("name").get<std::string>(), node, src));
    graph.label(label_of(static_cast<int64_t>(values.size()) - 1), values.back());
  }
  return graph;
}

PlanOptions options_of(const Json& c, const Json& plan) {
  PlanOptions o =
      PlanOptions::inference({c.at("batch"), c.at("channels"), c.at("height"), c.at("width")});
  o.gradients = o.input_gradient = plan.at("gradients");
  o.batch_statistics = plan.at("batch_statistics");
  o.dropout = plan.at("dropout");
  o.fuse = plan.at("fuse");
  o.winograd = plan.at("winograd");
  if (plan.at("rebuild")) o.recompute_above = 0;
  for (const int64_t v : plan.at("keep")) o.keep.push_back(label_of(v));
  for (const int64_t v : plan.at("keep_gradients")) o.keep_gradients.push_back(label_of(v));
  o.frozen = plan.at("frozen").get<std::vector<std::string>>();
  o.loss_at = label_of(static_cast<int64_t>(c.at("nodes").size()));
  o.poison = true;
  return o;
}

/// One case in one plan: its tensors and what came of them.
class Run {
 public:
  Run(const Json& c, const Json& plan, const Tensors& tensors, Tensors& results)
      : case_(c),
        plan_(plan),
        tensors_(tensors),
        results_(results),
        name_(c.at("name").get<std::string>() + "/"),
        prefix_(name_ + plan.at("name").get<std::string>() + "/") {}

  void compute() {
    const Graph graph = build(case_);
    Parameters parameters = graph.initialise(1);
    for (const auto& entry : graph.initialise(1))
      if (tensors_.count(name_ + entry.first) > 0)
        parameters.set(entry.first, tensors_.at(name_ + entry.first));
    Plan plan(graph, parameters, options_of(case_, plan_));
    if (case_.contains("sgd")) {
      train(plan);
    } else {
      steps(plan, [&](std::span<const float> diff, size_t) {
        if (plan_.at("gradients")) plan.backward(diff);
      });
      read_values(plan);
    }
    plan.store(parameters);
    for (const auto& [name, parameter] : parameters) put("stored." + name, parameter.value);
  }

 private:
  void put(const std::string& what, const Tensor& value) { results_[prefix_ + what] = value; }

  template <class Step>
  void steps(Plan& plan, const Step& step) {
    const Tensor& images = tensors_.at(name_ + "images");
    const int64_t batch = plan.input_shape()[0];
    std::vector<double> losses;
    for (int64_t s = 0; s < images.dim(0) / batch; ++s) {
      plan.run(images.rows(s * batch, (s + 1) * batch));
      step(loss(plan, s, losses).values(), static_cast<size_t>(s));
    }
    if (!losses.empty()) put("loss", Tensor::of(losses, {static_cast<int64_t>(losses.size())}));
  }

  // The gradient that backward begins with.
  Tensor loss(Plan& plan, int64_t step, std::vector<double>& losses) const {
    if (!case_.contains("loss")) {
      const auto given = tensors_.find(name_ + "diff");
      return given == tensors_.end() ? Tensor() : given->second;
    }
    const Json& l = case_.at("loss");
    const auto all = l.at("labels").get<std::vector<int64_t>>();
    const auto batch = static_cast<size_t>(plan.input_shape()[0]);
    const Tensor logits = plan.output(plan.program().options().loss_at);
    Tensor diff(logits.shape());
    losses.push_back(softmax_cross_entropy(
        logits, std::span(all).subspan(static_cast<size_t>(step) * batch, batch), diff.values(),
        {.class_weights = l.at("class_weights"), .label_smoothing = l.at("label_smoothing")},
        l.at("normaliser")));
    return diff;
  }

  void train(Plan& plan) {
    const Json& o = case_.at("sgd");
    Sgd sgd(plan, {.momentum = o.at("momentum"),
                   .nesterov = o.at("nesterov"),
                   .weight_decay = o.at("weight_decay")});
    std::map<std::string, Tensor> state = sgd.state();
    for (auto& [name, velocity] : state) {
      const auto given = tensors_.find(name_ + "velocity." + name);
      if (given != tensors_.end()) velocity = given->second;
    }
    sgd.restore(state);
    const auto rates = o.at("rates").get<std::vector<double>>();
    steps(plan, [&](std::span<const float> diff, size_t step) { sgd.step(diff, rates.at(step)); });
    for (const auto& [name, velocity] : sgd.state()) put("velocity." + name, velocity);
  }

  void read_values(Plan& plan) {
    for (const int64_t v : plan_.at("keep")) put(str_cat("v", v), plan.output(label_of(v)));
    if (!plan_.at("gradients")) return;
    put("gradient.v0", plan.gradient("input"));
    for (const int64_t v : plan_.at("keep_gradients"))
      put(str_cat("gradient.v", v), plan.gradient(label_of(v)));
    for (const PackedParameter& p : plan.program().packed())
      if (p.trainable) put("gradient." + p.name, plan.parameter_gradient(p.name));
  }

  const Json &case_, &plan_;
  const Tensors& tensors_;
  Tensors& results_;
  std::string name_, prefix_;
};

Tensor rates_of(const Json& s) {
  Schedule schedule{.kind = schedule_kind(s.at("kind")), .warmup = s.at("warmup")};
  schedule.step_every = s.at("step_every");
  schedule.one_cycle_rise = s.at("one_cycle_rise");
  const int64_t total = s.at("total");
  std::vector<double> rates;
  for (int64_t i = 0; i < total; ++i)
    rates.push_back(learning_rate(schedule, s.at("base"), i, total));
  return Tensor::of(rates, {total});
}

void compute_all(const std::string& from, const std::string& to) {
  const SafetensorsFile file = read_safetensors(from);
  Tensors results;
  Json errors = Json::object();
  set_threads(2);
  const Json cases = Json::parse(file.metadata.at("cases"));
  for (const Json& c : cases)
    for (const Json& plan : c.at("plans")) {
      Run run(c, plan, file.tensors, results);
      try {
        run.compute();
      } catch (const Error& e) {
        errors[c.at("name").get<std::string>() + "/" + plan.at("name").get<std::string>()] =
            e.what();
      }
    }
  const Json schedules = Json::parse(file.metadata.at("schedules"));
  for (const Json& s : schedules)
    results["schedule/" + s.at("name").get<std::string>()] = rates_of(s);
  write_safetensors(to, results, {{"errors", errors.dump()}});
}

}  // namespace

int main(int argc, char** argv) try {
  require(argc == 3, "usage: conformance_driver CASES RESULTS");
  compute_all(argv[1], argv[2]);
  return 0;
} catch (const std::exception& e) {
  std::cerr << "conformance_driver: " << e.what() << "\n";
  return 2;
}
