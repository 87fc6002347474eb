#include "limbic/train/optimiser.h"

#include <doctest/doctest.h>

#include <cmath>

#include "limbic/nn/loss.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/reference/adam.h"
#include "limbic/twins/evaluate.h"

using namespace limbic;
using namespace limbic::train;

namespace {

Graph small_net() {
  Graph g;
  Value x = g.input(3);
  x = relu(conv2d(g.root() / "conv1", x, {.out_channels = 16, .kernel_size = 3, .padding = 1}));
  x = relu(conv2d(g.root() / "conv2", x, {.out_channels = 8, .kernel_size = 3, .groups = 2}));
  g.label("logits", linear(g.root() / "fc", global_avg_pool(x), {.out_features = 4}));
  return g;
}

Tensor noise(const Shape& shape, uint64_t seed) {
  Tensor out(shape);
  Random random(seed);
  for (float& x : out.values()) x = static_cast<float>(random.normal());
  return out;
}

// PyTorch's rule for one scalar at a time, in f64 (torch.optim.SGD's documentation).
struct ScalarSgd {
  SgdOptions o;
  std::map<std::string, std::vector<double>> w, v;

  void step(const std::string& name, const Tensor& gradient, double rate) {
    auto& velocity = v[name];
    velocity.resize(w[name].size());
    for (size_t i = 0; i < w[name].size(); ++i) {
      const double g = static_cast<double>(gradient.data()[i]) + o.weight_decay * w[name][i];
      velocity[i] = o.momentum * velocity[i] + g;
      w[name][i] -= rate * (o.nesterov ? g + o.momentum * velocity[i] : velocity[i]);
    }
  }
};

double largest_difference(const Parameters& a, const Parameters& b) {
  double worst = 0;
  for (const auto& [name, parameter] : a)
    for (int64_t i = 0; i < parameter.value.size(); ++i)
      worst = std::max(
          worst, std::abs(double{parameter.value.data()[i]} - double{b.at(name).value.data()[i]}));
  return worst;
}

}  // namespace

TEST_CASE("sgd: equals a scalar loop of PyTorch's rule") {
  const Graph g = small_net();
  const Shape shape = {4, 3, 9, 7};
  for (const SgdOptions& o :
       std::vector<SgdOptions>{{.momentum = 0},
                               {.momentum = 0.9},
                               {.momentum = 0.9, .weight_decay = 0.05},
                               {.momentum = 0.8, .nesterov = true, .weight_decay = 0.01},
                               {.momentum = 0.9, .rate_factors = {{"conv1", 0}, {"fc", 3}}}}) {
    CAPTURE(o.momentum);
    CAPTURE(o.nesterov);
    CAPTURE(o.weight_decay);
    Parameters parameters = g.initialise(1);
    Plan plan(g, parameters, PlanOptions::training(shape));
    Sgd sgd(plan, o);
    ScalarSgd scalar{o, {}, {}};
    for (const auto& [name, p] : parameters)
      scalar.w[name] = {p.value.values().begin(), p.value.values().end()};
    for (uint64_t step = 0; step < 6; ++step) {
      plan.run(noise(shape, step));
      const double rate = 0.05 / static_cast<double>(step + 1);
      sgd.step(noise({4, 4}, step + 100).values(), rate);
      for (const auto& [name, p] : parameters) {
        double factor = 1;
        for (const auto& [path, value] : o.rate_factors)
          if (lies_within(name, path)) factor = value;
        scalar.step(name, plan.parameter_gradient(name), rate * factor);
      }
    }
    const Parameters before = parameters.clone();
    plan.store(parameters);
    CHECK(largest_difference(parameters, before) > 0.01);
    for (const auto& entry : parameters) {
      const std::string& name = entry.first;
      const Parameter& p = entry.second;
      CAPTURE(name);
      double worst = 0;
      const Tensor velocity = sgd.state().at(name);
      for (size_t i = 0; i < p.value.values().size(); ++i) {
        worst = std::max(worst, std::abs(double{p.value.values()[i]} - scalar.w[name][i]));
        worst = std::max(worst, std::abs(double{velocity.values()[i]} - scalar.v[name][i]));
      }
      CHECK(worst < 2e-6);
    }
  }
}

TEST_CASE("sgd: four micro-batches equal one batch where there is no batch norm") {
  const Graph g = small_net();
  const std::vector<int64_t> labels = {0, 1, 2, 3, 3, 2, -1, 0};
  const double weight = 7;  // rows that count
  Parameters whole = g.initialise(1), parts = g.initialise(1);
  Plan one(g, whole, PlanOptions::training({8, 3, 9, 7}));
  Plan four(g, parts, PlanOptions::training({2, 3, 9, 7}));
  const SgdOptions options{.momentum = 0.9, .weight_decay = 0.01};
  Sgd sgd_one(one, options), sgd_four(four, options);
  for (uint64_t step = 0; step < 5; ++step) {
    const Tensor images = noise({8, 3, 9, 7}, step);
    std::vector<float> diff(32);
    one.run(images);
    const double loss = softmax_cross_entropy(one.output("logits"), labels, diff);
    sgd_one.step(diff, 0.1);
    double sum = 0;
    for (int64_t begin = 0; begin < 8; begin += 2) {
      std::vector<float> part(8);
      four.run(images.rows(begin, begin + 2));
      sum += softmax_cross_entropy(four.output("logits"),
                                   std::span(labels).subspan(static_cast<size_t>(begin), 2), part,
                                   {}, weight);
      if (begin < 6)
        sgd_four.accumulate(part);
      else
        sgd_four.step(part, 0.1);
    }
    CHECK(sum == doctest::Approx(loss).epsilon(1e-6));
  }
  one.store(whole);
  four.store(parts);
  CHECK(largest_difference(whole, g.initialise(1)) > 0.01);
  CHECK(largest_difference(whole, parts) < 1e-6);
}

TEST_CASE("sgd: its state goes from one plan to another, and must fit") {
  const Graph g = small_net();
  const Shape shape = {4, 3, 9, 7};
  Parameters parameters = g.initialise(1);
  Plan plan(g, parameters, PlanOptions::training(shape));
  Sgd sgd(plan, {});
  const auto step = [&](Plan& p, Sgd& s, uint64_t seed) {
    p.run(noise(shape, seed));
    s.step(noise({4, 4}, seed + 9).values(), 0.1);
  };
  step(plan, sgd, 1);
  plan.store(parameters);
  auto state = sgd.state();
  CHECK(state.size() == 6);

  PlanOptions plain = PlanOptions::training(shape);
  plain.fuse = false;
  Parameters copy = parameters.clone();
  Plan other(g, copy, plain);
  Sgd restored(other, {});
  restored.restore(state);
  step(plan, sgd, 2);
  step(other, restored, 2);
  plan.store(parameters);
  other.store(copy);
  CHECK(largest_difference(parameters, copy) == 0);

  auto missing = state;
  missing.erase("conv1.weight");
  CHECK_THROWS_WITH(restored.restore(missing), doctest::Contains("'conv1.weight'"));
  state["fc.bias"] = Tensor({5});
  CHECK_THROWS_WITH(restored.restore(state), doctest::Contains("fc.bias"));
}

TEST_CASE("adam: equals the reference's step, with both kinds of decay") {
  const Graph g = small_net();
  const Shape shape = {4, 3, 9, 7};
  for (const AdamOptions& o :
       std::vector<AdamOptions>{{},
                                {.beta1 = 0.5, .beta2 = 0.9, .epsilon = 1e-3},
                                {.weight_decay = 0.1},
                                {.weight_decay = 0.1, .decoupled = true},
                                {.rate_factors = {{"conv1", 0}, {"fc", 3}}}}) {
    CAPTURE(o.beta1);
    CAPTURE(o.weight_decay);
    CAPTURE(o.decoupled);
    Parameters parameters = g.initialise(1);
    Plan plan(g, parameters, PlanOptions::training(shape));
    Adam adam(plan, o);
    twins::Arrays w = twins::from_parameters(parameters), m, v;
    for (const auto& [name, array] : w) m[name] = v[name] = twins::Array(array.shape);
    for (uint64_t step = 0; step < 6; ++step) {
      plan.run(noise(shape, step));
      const double rate = 0.01 / static_cast<double>(step + 1);
      adam.step(noise({4, 4}, step + 100).values(), rate);
      for (auto& [name, array] : w) {
        double factor = 1;
        for (const auto& [path, value] : o.rate_factors)
          if (lies_within(name, path)) factor = value;
        reference::adam_step(
            array, m[name], v[name], static_cast<int64_t>(step) + 1,
            twins::from_tensor(plan.parameter_gradient(name)),
            {rate * factor, o.beta1, o.beta2, o.epsilon, o.weight_decay, o.decoupled});
      }
    }
    plan.store(parameters);
    const auto state = adam.state();
    CHECK(state.at("adam/steps").data<int64_t>()[0] == 6);
    for (const auto& [name, array] : w) {
      const auto error = [](const Tensor& a, const twins::Array& b) {
        double worst = 0;
        for (int64_t i = 0; i < a.size(); ++i)
          worst = std::max(worst, std::abs(double{a.data()[i]} - b[i]));
        return worst;
      };
      CHECK(error(parameters.at(name).value, array) < 2e-6);
      CHECK(error(state.at(name), m[name]) < 2e-6);
      CHECK(error(state.at("second/" + name), v[name]) < 2e-6);
    }
  }
}

TEST_CASE("adam: its state goes from one plan to another with the same bits, and must fit") {
  const Graph g = small_net();
  Parameters parameters = g.initialise(1);
  Plan plan(g, parameters, PlanOptions::training({4, 3, 9, 7}));
  Adam adam(plan, {.weight_decay = 0.1, .decoupled = true});
  const auto step = [&](Plan& p, Adam& a, uint64_t seed) {
    p.run(noise({4, 3, 9, 7}, seed));
    a.step(noise({4, 4}, seed + 9).values(), 0.01);
  };
  step(plan, adam, 1);
  plan.store(parameters);
  const auto state = adam.state();
  CHECK(state.size() == 13);
  Parameters copy = parameters.clone();
  Plan other(g, copy, PlanOptions::training({4, 3, 9, 7}));
  Adam restored(other, {.weight_decay = 0.1, .decoupled = true});
  restored.restore(state);
  step(plan, adam, 2);
  step(other, restored, 2);
  plan.store(parameters);
  other.store(copy);
  CHECK(largest_difference(parameters, copy) == 0);

  for (const char* key : {"conv1.weight", "second/conv1.weight", "adam/steps"}) {
    CAPTURE(key);
    auto missing = state;
    missing.erase(key);
    CHECK_THROWS_AS(restored.restore(missing), Error);
  }
  CHECK_THROWS_AS(Adam(plan, {.beta1 = 1}), Error);
  CHECK_THROWS_AS(Adam(plan, {.epsilon = 0}), Error);
  CHECK_THROWS_AS(Adam(plan, {.weight_decay = -1}), Error);
}
