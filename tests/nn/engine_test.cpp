#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <thread>

#include "limbic/core/parallel.h"
#include "limbic/models/models.h"
#include "limbic/nn/compile/program.h"
#include "limbic/nn/loss.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/concat.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/reshape.h"
#include "limbic/nn/plan.h"
#include "limbic/train/optimiser.h"
#include "tests/nn/allocations.h"

using namespace limbic;
using namespace limbic::models;
using namespace limbic::train;

namespace {

struct Network {
  std::string name;
  int64_t size;
};
const std::vector<Network> networks = {
    {"resnet18", 64}, {"densenet_small", 20}, {"squeezenet1_1", 64}, {"resnet20", 24}};

Tensor noise(const Shape& shape, uint64_t seed) {
  Tensor out(shape);
  Random random(seed);
  for (float& x : out.values()) x = static_cast<float>(random.normal());
  return out;
}

// Statistics away from (0, 1), so that folding a batch norm does something.
Parameters trained_looking(const Graph& graph) {
  Parameters parameters = graph.initialise(5);
  for (const auto& [name, parameter] : parameters) {
    if (parameter.value.dtype() != DType::f32 || parameter.value.rank() != 1) continue;
    Random random(9, hash_name(name.c_str()));
    for (float& x : parameter.value.values()) {
      if (name.ends_with("running_var") || name.ends_with("weight"))
        x = static_cast<float>(random.uniform(0.5, 1.5));
      else
        x = static_cast<float>(0.2 * random.normal());
    }
  }
  return parameters;
}

// ||a - b|| / ||b||.
double difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double error = 0, norm = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    const double x = a.data()[i], y = b.data()[i];
    if (!std::isfinite(x) || !std::isfinite(y)) return INFINITY;
    error += (x - y) * (x - y);
    norm += y * y;
  }
  CHECK(norm > 0);
  return std::sqrt(error / std::max(norm, 1e-300));
}

bool equal_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("arena: lifetimes that overlap share no byte, and it is never larger than their sum") {
  Random random(1);
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<Lifetime> buffers(static_cast<size_t>(1 + random.below(40)));
    int64_t sum = 0;
    for (Lifetime& b : buffers) {
      b.bytes = random.below(8) == 0 ? 0 : random.below(5000);
      b.first = static_cast<int>(random.below(30));
      b.last = b.first + static_cast<int>(random.below(12));
      sum += (b.bytes + 63) / 64 * 64;
    }
    const ArenaLayout layout = lay_out(buffers);
    REQUIRE(layout.offsets.size() == buffers.size());
    CHECK(layout.bytes <= sum);
    for (size_t i = 0; i < buffers.size(); ++i) {
      CHECK(layout.offsets[i] % 64 == 0);
      CHECK(layout.offsets[i] + buffers[i].bytes <= layout.bytes);
      for (size_t j = 0; j < i; ++j) {
        const Lifetime &a = buffers[i], &b = buffers[j];
        if (a.last < b.first || b.last < a.first || a.bytes == 0 || b.bytes == 0) continue;
        const bool apart = layout.offsets[i] + a.bytes <= layout.offsets[j] ||
                           layout.offsets[j] + b.bytes <= layout.offsets[i];
        REQUIRE(apart);
      }
    }
  }
  // Three in a row, never all alive: the third takes the first one's place.
  CHECK(lay_out({{640, 0, 1}, {640, 1, 2}, {640, 2, 3}}).bytes == 1280);
  CHECK(lay_out({}).bytes == 0);
}

TEST_CASE("graph: errors name the node and list what there is") {
  Graph g;
  const Value x = g.input(3);
  const Value y = conv2d(g.root() / "down", x, {.out_channels = 3, .kernel_size = 3, .stride = 2});
  const Value sum = add(x, y);
  const std::string sum_name = g.node(sum.node).name;
  std::string message = error_of([&] { g.infer({1, 3, 8, 8}); });
  CAPTURE(message);
  CHECK(message.starts_with(sum_name + ": "));
  CHECK(message.find("(1,3,8,8)") != std::string::npos);
  CHECK(message.find("(1,3,3,3)") != std::string::npos);
  message = error_of([&] { g.infer({1, 3, 2, 2}); });
  CHECK(message.starts_with("down: "));
  CHECK(error_of([&] { g.infer({1, 4, 8, 8}); }) == "input: expected (N,3,H,W), got (1,4,8,8)");
  CHECK(error_of([&] { g.infer({3, 8, 8}); }).starts_with("input: "));
  CHECK(error_of([&] { g.input(3); }) != "");
  Graph other;
  CHECK(error_of([&] { add(x, other.input(3)); }).find("another graph") != std::string::npos);
  CHECK(error_of([&] { flatten(y); }) != "");

  const Model model = build_model("resnet8", 3);
  message = error_of([&] { model.graph.find("layer9"); });
  CHECK(message ==
        "the network has no layer 'layer9'; its outputs are: features, layer1, layer2, layer3, "
        "logits");
  const Parameters parameters = model.graph.initialise(0);
  PlanOptions options = PlanOptions::inference({1, 3, 16, 16});
  Plan plan(model.graph, parameters, options);
  CHECK(error_of([&] {
          plan.run(Tensor({2, 3, 16, 16}));
        }).find("(1,3,16,16)") != std::string::npos);
  CHECK(error_of([&] { plan.run(Tensor({1, 3, 16, 8})); }) != "");
  CHECK(error_of([&] { plan.output("layer1"); }).find("not kept") != std::string::npos);
  CHECK(error_of([&] { plan.backward(std::vector<float>(3)); }) != "");
  options.keep = {"nowhere"};
  CHECK(error_of([&] { Plan(model.graph, parameters, options); }).find("'nowhere'") !=
        std::string::npos);
  // Parameters of another network.
  const Parameters others = build_model("resnet8", 4).graph.initialise(0);
  CHECK(error_of([&] {
          Plan(model.graph, others, PlanOptions::inference({1, 3, 16, 16}));
        }).starts_with("linear."));
}

TEST_CASE("plan: passes on and off give equal kept outputs") {
  for (const Network& network : networks) {
    const Model model = build_model(network.name, 5);
    const Parameters parameters = trained_looking(model.graph);
    const Shape shape = {2, 3, network.size, network.size};
    const Tensor images = noise(shape, 2);
    for (bool training : {false, true}) {
      PlanOptions options = training ? PlanOptions::training(shape) : PlanOptions::inference(shape);
      options.dropout = false;
      options.keep = model.stages;
      options.fuse = false;
      options.poison = true;
      Plan plain(model.graph, parameters, options);
      options.fuse = true;
      Plan fused(model.graph, parameters, options);
      options.keep = {};
      Plan free(model.graph, parameters, options);  // fuses what keeping the stages prevents
      for (Plan* plan : {&plain, &fused, &free}) plan->run(images);
      std::vector<std::string> kept = model.stages;
      kept.insert(kept.end(), {"features", "logits"});
      const auto nodes_of = [](const Plan& plan) { return plan.program().graph().nodes().size(); };
      if (training && network.name == "squeezenet1_1")  // no batch norm: nothing to fuse
        CHECK(nodes_of(fused) == nodes_of(plain));
      else
        CHECK(nodes_of(fused) < nodes_of(plain));
      for (const std::string& name : kept) {
        CAPTURE(network.name);
        CAPTURE(training);
        CAPTURE(name);
        CHECK(difference(fused.output(name), plain.output(name)) < 1e-5);
      }
      CHECK(difference(free.output("logits"), plain.output("logits")) < 1e-5);
      if (training) {
        options.recompute_above = 0;
        Plan rebuilding(model.graph, parameters, options);
        rebuilding.run(images);
        CHECK(equal_bits(rebuilding.output("logits"), free.output("logits")));
        CHECK(rebuilding.arena_bytes() <= free.arena_bytes());
        if (network.name == "resnet18") CHECK(rebuilding.arena_bytes() < free.arena_bytes());
        const std::vector<float> diff(10, 0.1f);
        for (Plan* plan : {&rebuilding, &free}) plan->backward(diff);
        for (const PackedParameter& p : free.program().packed())
          if (p.trainable)
            CHECK(
                equal_bits(rebuilding.parameter_gradient(p.name), free.parameter_gradient(p.name)));
      }
      CHECK(static_cast<double>(free.arena_bytes()) <
            1.05 * static_cast<double>(plain.arena_bytes()));
    }
  }
}

TEST_CASE("plan: two workspaces over one program run at once") {
  const Model model = build_model("resnet20", 5);
  const Parameters parameters = trained_looking(model.graph);
  const auto program =
      std::make_shared<Program>(model.graph, parameters, PlanOptions::inference({2, 3, 24, 24}));
  const std::vector<Tensor> images = {noise({2, 3, 24, 24}, 1), noise({2, 3, 24, 24}, 2)};
  std::vector<Tensor> expected;
  for (const Tensor& x : images) {
    Plan plan(program);
    plan.run(x);
    expected.push_back(plan.output("logits"));
  }
  CHECK_FALSE(equal_bits(expected[0], expected[1]));
  std::vector<int> right(2, 0);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      Plan plan(program);
      for (int run = 0; run < 10; ++run) {
        plan.run(images[t]);
        right[t] += equal_bits(plan.output("logits"), expected[t]);
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(right == std::vector<int>{10, 10});
}

TEST_CASE(
    "plan: a batch that is not full costs and gives what its pictures do, whoever ran before") {
  const Model model = build_model("resnet8", 5);
  const Parameters parameters = trained_looking(model.graph);
  PlanOptions options = PlanOptions::inference({4, 3, 16, 16});
  options.poison = true;
  Plan plan(model.graph, parameters, options);
  options.input = {3, 3, 16, 16};
  Plan three(model.graph, parameters, options);
  const Tensor images = noise({4, 3, 16, 16}, 1), first = images.rows(0, 3);
  three.run(first);
  plan.run(images);
  const Tensor whole = plan.output("logits");
  plan.run(first);
  const Tensor some = plan.output("logits");
  CHECK(some.shape() == Shape{3, 5});
  CHECK(difference(some, three.output("logits")) < 1e-6);
  std::vector<float> rows(15);
  plan.read_output("logits", rows);
  CHECK(std::equal(rows.begin(), rows.end(), some.data()));
  std::vector<float> too_many(20);
  CHECK_THROWS_WITH_AS(plan.read_output("logits", too_many),
                       "logits: has shape (3,5), asked for 20 values", Error);
  const int64_t before = onednn::primitives_created();
  plan.run(first);
  CHECK(equal_bits(some, plan.output("logits")));
  CHECK(onednn::primitives_created() == before);
  plan.run(images);
  CHECK(equal_bits(whole, plan.output("logits")));
}

TEST_CASE("plan: of a batch that is not full, training takes the rest as zeros") {
  const Model model = build_model("resnet8", 5);
  const Parameters parameters = trained_looking(model.graph);
  Plan plan(model.graph, parameters, PlanOptions::training({4, 3, 16, 16}));
  Tensor images = noise({4, 3, 16, 16}, 1);
  plan.run(images.rows(0, 3));
  const Tensor some = plan.output("logits");
  Tensor last = images.rows(3, 4);
  for (float& x : last.values()) x = 0;
  plan.run(images);
  CHECK(equal_bits(some, plan.output("logits").rows(0, 3)));
}

TEST_CASE("plan: another size of pictures shares the packed weights, and what refreshes them") {
  for (const char* name : {"resnet18", "squeezenet1_1", "densenet121", "mobilenet_v2"}) {
    CAPTURE(name);
    const Model model = build_model(name, 5);
    const Parameters parameters = trained_looking(model.graph);
    Plan plan(model.graph, parameters, PlanOptions::inference({4, 3, 64, 64}));
    const auto values = [](const Plan& p) {
      std::vector<const void*> out;
      for (const PackedParameter& packed : p.program().packed()) out.push_back(packed.value.raw());
      return out;
    };
    const auto check = [&](const Shape& shape, const Parameters& now) {
      CAPTURE(to_string(shape));
      Plan other(plan, shape), alone(model.graph, now, PlanOptions::inference(shape));
      CHECK(values(other) == values(plan));
      const Tensor images = noise(shape, 2);
      other.run(images);
      alone.run(images);
      CHECK(difference(other.output("logits"), alone.output("logits")) < 1e-5);
    };
    check({1, 3, 64, 64}, parameters);
    check({8, 3, 64, 64}, parameters);
    check({2, 3, 96, 70}, parameters);
    check({1, 3, 33, 224}, parameters);
    Parameters later = model.graph.initialise(9);
    plan.refresh(later);
    check({3, 3, 64, 64}, later);
  }
  const Model model = build_model("resnet8", 5);
  Plan training(model.graph, model.graph.initialise(0), PlanOptions::training({2, 3, 16, 16}));
  CHECK_THROWS_WITH_AS(Plan(training, {1, 3, 16, 16}),
                       "a plan that trains shares its weights with no other", Error);
}

TEST_CASE("dropout: its share, its mean, its bits") {
  Graph g;
  g.label("out", dropout(g.input(3), 0.3));
  const Parameters none = g.initialise(0);
  PlanOptions options = PlanOptions::training({4, 3, 61, 67});  // not a multiple of four
  options.loss_at = "out";
  options.keep = {"out"};
  options.input_gradient = true;
  options.poison = true;
  options.seed = 3;
  Tensor ones({4, 3, 61, 67});
  for (float& x : ones.values()) x = 1;
  const auto run = [&](const PlanOptions& o, uint64_t step) {
    Plan plan(g, none, o);
    plan.set_step(step);
    plan.run(ones);
    const Tensor out = plan.output("out");
    plan.backward(ones.values());
    CHECK(equal_bits(plan.gradient("input"), out));  // the same mask
    return out;
  };
  const Tensor out = run(options, 1);
  double zeros = 0, sum = 0;
  for (float x : out.values()) {
    zeros += x == 0;
    sum += x;
    CHECK_MESSAGE((x == 0 || std::abs(x - 1 / 0.7f) < 1e-6), x);
  }
  const auto n = static_cast<double>(out.size());
  CHECK(zeros / n == doctest::Approx(0.3).epsilon(0.02));
  CHECK(sum / n == doctest::Approx(1).epsilon(0.02));

  CHECK(equal_bits(out, run(options, 1)));
  CHECK_FALSE(equal_bits(out, run(options, 2)));
  PlanOptions other_seed = options;
  other_seed.seed = 4;
  CHECK_FALSE(equal_bits(out, run(other_seed, 1)));
  const int before = threads();
  for (int n_threads : {1, 2}) {
    set_threads(n_threads);
    CHECK(equal_bits(out, run(options, 1)));
  }
  set_threads(before);
  PlanOptions off = options;
  off.dropout = false;
  CHECK(equal_bits(ones, run(off, 1)));
}

TEST_CASE("plan: refresh takes over what changed, and nothing before") {
  const Model model = build_model("resnet8", 5);
  Parameters parameters = trained_looking(model.graph);
  Plan plan(model.graph, parameters, PlanOptions::inference({1, 3, 16, 16}));
  const Tensor image = noise({1, 3, 16, 16}, 1);
  plan.run(image);
  // A folded batch norm, a convolution, the classifier.
  for (const std::string name :
       {"layer1.0.bn1.running_mean", "layer2.0.conv1.weight", "linear.bias"}) {
    CAPTURE(name);
    Tensor value = parameters.at(name).value.clone();
    for (float& x : value.values()) x += 0.1f;
    parameters.set(name, value);
    const Tensor old = plan.output("logits");
    plan.run(image);
    CHECK(equal_bits(plan.output("logits"), old));  // set, but not refreshed
    plan.refresh(parameters);
    plan.run(image);
    Plan fresh(model.graph, parameters, PlanOptions::inference({1, 3, 16, 16}));
    fresh.run(image);
    CHECK(equal_bits(plan.output("logits"), fresh.output("logits")));
    CHECK_FALSE(equal_bits(plan.output("logits"), old));
  }
}

TEST_CASE("plan: with everything frozen backward has nothing to do") {
  const Model model = build_model("resnet8", 5);
  const Parameters parameters = model.graph.initialise(0);
  PlanOptions options = PlanOptions::training({2, 3, 16, 16});
  options.frozen = {""};
  Plan plan(model.graph, parameters, options);
  plan.run(noise({2, 3, 16, 16}, 1));
  plan.backward(std::vector<float>(10, 1.0f));
  CHECK_THROWS_AS(plan.parameter_gradient("linear.bias"), Error);
}

namespace {

// Allocations of `runs` calls, after a first one.
Allocations allocations_of(int runs, const std::function<void()>& run) {
  run();
  const int64_t primitives = onednn::primitives_created();
  start_counting();
  for (int i = 0; i < runs; ++i) run();
  const Allocations counted = stop_counting();
  CHECK(onednn::primitives_created() == primitives);
  return counted;
}

struct Step {
  Plan plan;
  Sgd sgd;
  std::vector<int64_t> labels;
  Tensor logits;
  std::vector<float> diff;

  Step(const Model& model, const Parameters& parameters, const Shape& shape)
      : plan(model.graph, parameters, PlanOptions::training(shape)),
        sgd(plan, {.nesterov = true, .weight_decay = 1e-4}),
        labels(static_cast<size_t>(shape[0]), 1),
        logits({shape[0], model.classes}),
        diff(static_cast<size_t>(logits.size())) {}

  void run(const Tensor& images, bool accumulate) {
    plan.set_step(plan.step() + 1);
    plan.run(images);
    plan.read_output("logits", logits.values());
    softmax_cross_entropy(logits, labels, diff);
    if (accumulate) {
      sgd.accumulate(diff);
      plan.run(images);
    }
    sgd.step(diff, 1e-4);
  }
};

void check_allocations(const Allocations& a, const std::string& name, const std::string& mode) {
  CAPTURE(name);
  CAPTURE(mode);
  if (!can_count_allocations()) return;
  CHECK(a.ours == 0);
  CHECK(a.largest < (32 << 10));  // oneDNN's matrix product packs into some 16 kB
  CHECK(a.primitives > 0);
  CHECK(a.in_onednn <= 12 * a.primitives);
  MESSAGE(name << ", " << mode << ": allocations of ours " << a.ours << ", within " << a.primitives
               << " oneDNN primitives " << a.in_onednn << ", the largest of " << a.largest
               << " bytes");
}

}  // namespace

TEST_CASE("plan: a run after the first allocates nothing and creates no primitive") {
  for (const Network& network : networks) {
    const Model model = build_model(network.name, 5);
    const Parameters parameters = model.graph.initialise(1);
    const Shape shape = {2, 3, network.size, network.size};
    const Tensor images = noise(shape, 1);
    Plan plan(model.graph, parameters, PlanOptions::inference(shape));
    std::vector<float> logits(10);
    check_allocations(allocations_of(2,
                                     [&] {
                                       plan.run(images);
                                       plan.read_output("logits", logits);
                                     }),
                      network.name, "inference");
    for (bool accumulate : {false, true}) {
      Step step(model, parameters, shape);
      check_allocations(allocations_of(2, [&] { step.run(images, accumulate); }), network.name,
                        accumulate ? "training, accumulated" : "training");
    }
  }
}

TEST_CASE("plan: a network of our own kernels allocates nothing at all") {
  Model model{.name = "ours", .graph = {}, .classes = 64};
  Graph& g = model.graph;
  Value x = relu(batch_norm(g.root() / "bn1", g.input(5)));
  x = max_pool2d(x, {.kernel_size = 3, .padding = 1, .ceil_mode = true});
  x = concat({x, relu6(x), dropout(x, 0.2)});
  x = slice_pad(x, {.stride = 2, .channels_before = 1});
  x = add(avg_pool2d(x, {.kernel_size = 3, .stride = 1, .padding = 1}), x);
  g.label("logits", batch_norm(g.root() / "bn2", flatten(adaptive_avg_pool2d(x, 2))));
  const Parameters parameters = g.initialise(1);
  const Shape shape = {3, 5, 18, 14};
  const Tensor images = noise(shape, 1);
  Plan plan(g, parameters, PlanOptions::inference(shape));
  Step step(model, parameters, shape);
  for (const Allocations& a : {allocations_of(3, [&] { plan.run(images); }),
                               allocations_of(3, [&] { step.run(images, true); })}) {
    CHECK(a.ours == 0);
    CHECK(a.in_onednn == 0);
    CHECK(a.primitives == 0);
  }
}

TEST_CASE("allocations are seen by the counter") {
  if (!can_count_allocations()) return;
  start_counting();
  const auto small = std::make_unique<double>(1);
  const Tensor large({1000});
  const Allocations a = stop_counting();
  CHECK(a.ours >= 2);
  CHECK(a.largest >= 4000);
  CHECK(*small == 1);
}
