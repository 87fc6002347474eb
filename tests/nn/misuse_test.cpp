// Every way to misuse the library that somebody has tried: an Error that says what and what to do,
// or a documented result. A row is what was done and a part of the message.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <thread>

#include "limbic/core/parallel.h"
#include "limbic/nn/compile/program.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/concat.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/reshape.h"
#include "limbic/nn/ops/softmax.h"
#include "limbic/nn/plan.h"

using namespace limbic;

namespace {

struct Row {
  const char* what;
  const char* message;  ///< A part of it.
  std::function<void()> misuse;
};

void check_refused(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    CAPTURE(row.what);
    std::string message = "no error";
    try {
      row.misuse();
    } catch (const Error& error) {
      message = error.what();
    } catch (const std::exception& error) {
      message = std::string("not an Error: ") + error.what();
    }
    CAPTURE(message);
    CHECK(message.find(row.message) != std::string::npos);
    CHECK(message.find('\n') == std::string::npos);
  }
}

constexpr int64_t huge = int64_t{1} << 40;

// A small net of conv1, bn1, relu, fc on (N,3,8,8), with a dead branch.
Graph small_net() {
  Graph g;
  Value x = conv2d(g.root() / "conv1", g.input(3), {.out_channels = 8, .kernel_size = 3});
  x = batch_norm(g.root() / "bn1", x);
  g.label("mid", x);
  x = relu(x);
  g.label("aux", max_pool2d(x, {}));
  g.label("logits", linear(g.root() / "fc", global_avg_pool(x), {.out_features = 4}));
  return g;
}

struct Net {
  Graph graph = small_net();
  Parameters parameters = graph.initialise(1);
  Shape shape = {2, 3, 8, 8};
  std::vector<float> diff = std::vector<float>(8, 0.5f);

  std::unique_ptr<Plan> plan(PlanOptions o) const {
    return std::make_unique<Plan>(graph, parameters, std::move(o));
  }
  std::unique_ptr<Plan> inference() const { return plan(PlanOptions::inference(shape)); }
  std::unique_ptr<Plan> training() const { return plan(PlanOptions::training(shape)); }
  PlanOptions with(const std::function<void(PlanOptions&)>& change, bool train = false) const {
    PlanOptions o = train ? PlanOptions::training(shape) : PlanOptions::inference(shape);
    change(o);
    return o;
  }
};

// A graph of one layer, for the layer's own checks.
void layer(const std::function<Value(Graph&, Value)>& append, Shape shape = {1, 3, 8, 8}) {
  Graph g;
  g.label("out", append(g, g.input(3)));
  PlanOptions o = PlanOptions::inference(std::move(shape));
  o.keep = {"out"};
  Plan(g, g.initialise(0), o).run(Tensor(o.input));
}

}  // namespace

TEST_CASE("misuse: running and reading a plan") {
  const Net net;
  const auto run = [&](Tensor images) { net.inference()->run(images); };
  check_refused({
      {"wrong channels", "expected images (2,3,8,8) or fewer, got (2,4,8,8)",
       [&] {
         run(Tensor({2, 4, 8, 8}));
       }},
      {"rank 3", "or fewer, got (3,8,8)",
       [&] {
         run(Tensor({3, 8, 8}));
       }},
      {"other size", "or fewer, got (2,3,9,8)",
       [&] {
         run(Tensor({2, 3, 9, 8}));
       }},
      {"too many images", "or fewer, got (3,3,8,8)",
       [&] {
         run(Tensor({3, 3, 8, 8}));
       }},
      {"no image", "or fewer, got (0,3,8,8)",
       [&] {
         run(Tensor({0, 3, 8, 8}));
       }},
      {"empty tensor", "or fewer, got ()", [&] { run(Tensor()); }},
      {"f64", "holds F64, not F32",
       [&] {
         run(Tensor({2, 3, 8, 8}, DType::f64));
       }},
      {"u8", "holds U8, not F32",
       [&] {
         run(Tensor({2, 3, 8, 8}, DType::u8));
       }},
      {"output before run", "asked for before a run", [&] { net.inference()->output("logits"); }},
      {"read_output before run", "asked for before a run",
       [&] {
         std::vector<float> into(8);
         net.inference()->read_output("logits", into);
       }},
      {"output after a run that threw", "asked for before a run",
       [&] {
         const auto plan = net.inference();
         try {
           plan->run(Tensor({9, 9, 9, 9}));
         } catch (const Error&) {
         }
         plan->output("logits");
       }},
      {"backward before run", "backward was asked for before a run",
       [&] { net.training()->backward(net.diff); }},
      {"gradient before backward", "a gradient was asked for before backward",
       [&] {
         const auto plan = net.training();
         plan->run(Tensor(net.shape));
         plan->parameter_gradient("fc.weight");
       }},
      {"backward twice", "backward was called twice after one run",
       [&] {
         const auto plan = net.training();
         plan->run(Tensor(net.shape));
         plan->backward(net.diff);
         plan->backward(net.diff);
       }},
      {"backward after a refresh", "backward was called after a refresh",
       [&] {
         const auto plan = net.training();
         plan->run(Tensor(net.shape));
         plan->refresh(net.parameters);
         plan->backward(net.diff);
       }},
      {"backward of inference", "backward needs PlanOptions::gradients",
       [&] {
         const auto plan = net.inference();
         plan->run(Tensor(net.shape));
         plan->backward(net.diff);
       }},
      {"gradient of wrong size", "expected a gradient of (2,4), got 3 values",
       [&] {
         const auto plan = net.training();
         plan->run(Tensor(net.shape));
         plan->backward(std::vector<float>(3));
       }},
      {"unknown output", "has no layer 'nope'; its outputs are: aux, logits, mid",
       [&] { net.inference()->output("nope"); }},
      {"a label inside a fusion", "mid: not kept; name it in PlanOptions::keep",
       [&] { net.inference()->output("mid"); }},
      {"a node fused away", "conv1: not kept", [&] { net.inference()->output("conv1"); }},
      {"a dead branch", "aux: not kept", [&] { net.inference()->output("aux"); }},
      {"a dead branch, read_output", "aux: not kept",
       [&] {
         std::vector<float> into(4);
         net.inference()->read_output("aux", into);
       }},
      {"gradient of a dead branch", "aux: its gradient is not kept",
       [&] { net.training()->gradient("aux"); }},
      {"gradient of the input", "set PlanOptions::input_gradient",
       [&] { net.training()->gradient("input"); }},
      {"gradient of a statistic", "'bn1.running_mean' has no gradient in this plan",
       [&] {
         const auto plan = net.training();
         plan->run(Tensor(net.shape));
         plan->backward(net.diff);
         plan->parameter_gradient("bn1.running_mean");
       }},
      {"packed gradient out of range", "packed parameter 9999 of",
       [&] { net.training()->packed_gradient(9999); }},
      {"packed gradient of a statistic", "has no gradient",
       [&] {
         const auto plan = net.training();
         const auto& packed = plan->program().packed();
         for (size_t i = 0; i < packed.size(); ++i)
           if (packed[i].name == "bn1.running_mean") plan->packed_gradient(i);
       }},
      {"two plans over one training program", "a program that trains takes one Plan",
       [&] {
         const auto program =
             std::make_shared<Program>(net.graph, net.parameters, PlanOptions::training(net.shape));
         const Plan one(program), two(program);
       }},
      {"one plan in two threads", "is being run by another thread",
       [&] {
         const auto plan = net.inference();
         std::string message;
         plan->observe([&](const std::string&, std::span<const float>) {
           if (!message.empty()) return;
           std::thread([&] {
             try {
               plan->run(Tensor(net.shape));
             } catch (const Error& error) {
               message = error.what();
             }
           }).join();
         });
         plan->run(Tensor(net.shape));
         fail(message);
       }},
  });
  // Documented results: a plan's output is a copy, and neither graph nor parameters are needed for
  // it.
  auto plan = std::make_unique<Plan>(small_net(), small_net().initialise(1),
                                     PlanOptions::inference(net.shape));
  plan->run(Tensor(net.shape));
  const Tensor out = plan->output("logits");
  plan.reset();
  CHECK(std::isfinite(out.data()[0]));
}

TEST_CASE("misuse: making a plan") {
  const Net net;
  const auto plan_for = [&](Shape input) { net.plan(PlanOptions::inference(std::move(input))); };
  check_refused({
      {"batch 0", "input: expected (N,3,H,W), got (0,3,8,8)",
       [&] {
         plan_for({0, 3, 8, 8});
       }},
      {"batch -1", "negative dimension",
       [&] {
         plan_for({-1, 3, 8, 8});
       }},
      {"no input", "input: expected (N,3,H,W), got ()", [&] { net.plan({}); }},
      {"picture too small", "conv1: a 3x3 kernel does not fit into src (1,3,2,2)",
       [&] {
         plan_for({1, 3, 2, 2});
       }},
      {"batch 2^40", "each dimension must be from 1 to 2^31 - 1",
       [&] {
         plan_for({huge, 3, 8, 8});
       }},
      {"batch 2^31", "2^31 - 1",
       [&] {
         plan_for({int64_t{1} << 31, 3, 8, 8});
       }},
      {"2^20 x 2^20 pixels", "more than 2^31 - 1 pixels",
       [&] {
         plan_for({1, 3, 1 << 20, 1 << 20});
       }},
      {"60000 x 60000 pixels", "more than 2^31 - 1 pixels",
       [&] {
         plan_for({1, 3, 60000, 60000});
       }},
      {"65536 pictures of 16384 x 16384 pixels", "more than 2^31 - 1 pixels",
       [&] {
         plan_for({65536, 3, 16384, 16384});
       }},
      {"INT64_MAX", "overflows",
       [&] {
         plan_for({1, 3, INT64_MAX, INT64_MAX});
       }},
      {"empty graph", "labels neither \"features\" nor \"logits\"",
       [&] {
         Plan(Graph(), Parameters(), PlanOptions::inference({1, 3, 8, 8}));
       }},
      {"empty graph, keeping", "has no layer 'input'",
       [&] {
         PlanOptions o = PlanOptions::inference({1, 3, 8, 8});
         o.keep = {"input"};
         Plan(Graph(), Parameters(), o);
       }},
      {"no label", "label an output",
       [&] {
         Graph g;
         relu(g.input(3));
         Plan(g, {}, PlanOptions::inference({1, 3, 8, 8}));
       }},
      {"training without logits", "has no layer 'logits'; its outputs are: out",
       [&] {
         Graph g;
         g.label("out", relu(g.input(3)));
         PlanOptions o = PlanOptions::training({1, 3, 8, 8});
         o.keep = {"out"};
         Plan(g, {}, o);
       }},
      {"parameters missing", "there is no parameter 'conv1.weight'",
       [&] { Plan(net.graph, {}, PlanOptions::inference(net.shape)); }},
      {"parameters of another net", "conv1.weight: expected F32 (8,3,3,3), got F32 (5,3,3,3)",
       [&] {
         Graph g;
         g.label("logits",
                 conv2d(g.root() / "conv1", g.input(3), {.out_channels = 5, .kernel_size = 3}));
         Plan(net.graph, g.initialise(0), PlanOptions::inference(net.shape));
       }},
      {"parameter of another dtype", "conv1.bias: expected F32 (8), got F64 (8)",
       [&] {
         Parameters p;
         for (const auto& [name, parameter] : net.parameters)
           p.add(name, name == "conv1.bias" ? Tensor({8}, DType::f64) : parameter.value,
                 parameter.trainable);
         Plan(net.graph, p, PlanOptions::inference(net.shape));
       }},
      {"keep unknown", "has no layer 'conv9'",
       [&] { net.plan(net.with([](auto& o) { o.keep = {"conv9"}; })); }},
      {"loss_at unknown", "has no layer 'loss'",
       [&] { net.plan(net.with([](auto& o) { o.loss_at = "loss"; }, true)); }},
      {"frozen, misspelt", "frozen 'bn': no parameter has this name or lies within it",
       [&] { net.plan(net.with([](auto& o) { o.frozen = {"bn"}; }, true)); }},
      {"full_precision, misspelt", "full_precision 'conv': no layer has this name",
       [&] { net.plan(net.with([](auto& o) { o.full_precision = {"conv"}; })); }},
      {"keep_gradients without gradients", "need PlanOptions::gradients",
       [&] { net.plan(net.with([](auto& o) { o.keep_gradients = {"logits"}; })); }},
      {"keep_gradients off the path to the loss", "aux: it has no gradient, as 'logits' does not",
       [&] { net.plan(net.with([](auto& o) { o.keep_gradients = {"aux"}; }, true)); }},
      {"f64", "computes in F32, BF16 or I8, not in F64",
       [&] { net.plan(net.with([](auto& o) { o.dtype = DType::f64; })); }},
      {"refresh of another net", "there is no parameter",
       [&] { net.inference()->refresh(Parameters()); }},
      {"refresh of other shapes", "fc.weight: expected F32 (4,8), got F32 (5,8)",
       [&] {
         Graph g;
         Value x = conv2d(g.root() / "conv1", g.input(3), {.out_channels = 8, .kernel_size = 3});
         x = relu(batch_norm(g.root() / "bn1", x));
         g.label("logits", linear(g.root() / "fc", global_avg_pool(x), {.out_features = 5}));
         const auto plan = net.inference();
         plan->refresh(g.initialise(0));
       }},
      {"store into another net", "expected F32 (5,3,3,3), got F32 (8,3,3,3)",
       [&] {
         Graph g;
         conv2d(g.root() / "conv1", g.input(3), {.out_channels = 5, .kernel_size = 3});
         Parameters others = g.initialise(0);
         net.training()->store(others);
       }},
      {"set wrong shape", "fc.bias: expected F32 (4), got F32 (5)",
       [&] { Net().parameters.set("fc.bias", Tensor({5})); }},
      {"set unknown", "there is no parameter 'fc.biass'",
       [&] { Net().parameters.set("fc.biass", Tensor({4})); }},
      {"set wrong dtype", "fc.bias: expected F32 (4), got F64 (4)",
       [&] { Net().parameters.set("fc.bias", Tensor({4}, DType::f64)); }},
  });
}

TEST_CASE("misuse: writing a graph") {
  check_refused({
      {"op on a default Value", "a Value or Scope without a graph was used", [] { relu(Value()); }},
      {"op on a Value of a destroyed graph", "is of use only while its graph lives",
       [] {
         std::optional<Graph> g(std::in_place);
         const Value x = g->input(3);
         g.reset();
         relu(x);
       }},
      {"scope of a destroyed graph", "is of use only while its graph lives",
       [] {
         std::optional<Graph> g(std::in_place);
         const Scope s = g->root();
         g.reset();
         (void)s.graph->nodes();
       }},
      {"values stay with the graph that was copied", "is of use only while its graph lives",
       [] {
         std::optional<Graph> g(std::in_place);
         const Value x = g->input(3);
         const Graph copy = *g;
         g.reset();
         relu(x);
       }},
      {"two inputs", "Graph::input must be called once",
       [] {
         Graph g;
         g.input(3);
         g.input(3);
       }},
      {"layer before input", "Graph::input comes first",
       [] {
         Graph g;
         relu(Value{&g, 0});
       }},
      {"add across graphs", "belongs to another graph",
       [] {
         Graph g, h;
         add(g.input(3), h.input(3));
       }},
      {"label a value of another graph", "label 'x': the value belongs to another graph",
       [] {
         Graph g, h;
         g.input(3);
         g.label("x", h.input(3));
       }},
      {"two layers of one name", "there is a layer 'c' already",
       [] {
         Graph g;
         const Value x = g.input(3);
         conv2d(g.root() / "c", conv2d(g.root() / "c", x, {.out_channels = 3}),
                {.out_channels = 3});
       }},
      {"layer without a name", "a layer with parameters needs a name",
       [] {
         Graph g;
         conv2d(g.root(), g.input(3), {.out_channels = 3});
       }},
      {"input(0)", "expected channels from 1 on, got 0", [] { Graph().input(0); }},
      {"input(-3)", "expected channels from 1 on, got -3", [] { Graph().input(-3); }},
      {"input(2^40)", "expected channels from 1 on", [] { Graph().input(huge); }},
      {"flatten of a convolution", "put adaptive_avg_pool2d before it",
       [] {
         layer([](Graph& g, Value x) {
           return flatten(conv2d(g.root() / "c", x, {.out_channels = 2}));
         });
       }},
  });
  // A moved graph takes its values along.
  Graph g;
  const Value x = g.input(3);
  Graph moved = std::move(g);
  moved.label("y", relu(x));
  CHECK(moved.nodes().size() == 2);
}

TEST_CASE("misuse: options of layers") {
  const auto conv = [](Conv2dOptions o) {
    return [o] { layer([o](Graph& g, Value x) { return conv2d(g.root() / "c", x, o); }); };
  };
  const auto pool = [](Pool2dOptions o, bool max = true) {
    return [o, max] {
      layer([o, max](Graph&, Value x) { return max ? max_pool2d(x, o) : avg_pool2d(x, o); });
    };
  };
  const auto one = [](const std::function<Value(Graph&, Value)>& f) { return [f] { layer(f); }; };
  check_refused({
      {"linear of (N,C,H,W)", "fc: expected src (N,3), got (1,3,8,8)",
       one([](Graph& g, Value x) { return linear(g.root() / "fc", x, {.out_features = 2}); })},
      {"linear, out_features forgotten", "linear: in_features and out_features must be positive",
       one([](Graph& g, Value x) { return linear(g.root() / "fc", global_avg_pool(x), {}); })},
      {"linear, out_features 2^50", "out of memory: could not allocate", one([](Graph& g, Value x) {
         return linear(g.root() / "fc", global_avg_pool(x), {.out_features = int64_t{1} << 50});
       })},
      {"conv2d, out_channels forgotten", "3 input and 0 output channels", conv({})},
      {"conv2d of (N,C)", "c: expected src (N,3,H,W), got (1,3)", one([](Graph& g, Value x) {
         return conv2d(g.root() / "c", global_avg_pool(x), {.out_channels = 2});
       })},
      {"kernel larger than the picture", "11x11 kernel does not fit",
       conv({.out_channels = 2, .kernel_size = 11})},
      {"groups that do not divide", "do not divide into 2 groups",
       conv({.out_channels = 4, .groups = 2})},
      {"stride 0", "conv2d: stride must be from 1", conv({.out_channels = 2, .stride = 0})},
      {"stride 2^33", "conv2d: stride must be from 1",
       conv({.out_channels = 2, .stride = int64_t{1} << 33})},
      {"kernel 0", "conv2d: kernel_size must be from 1",
       conv({.out_channels = 2, .kernel_size = 0})},
      {"padding -1", "conv2d: padding must be from 0",
       conv({.out_channels = 2, .kernel_size = 3, .padding = -1})},
      {"padding 2^40", "conv2d: padding must be from 0",
       conv({.out_channels = 2, .padding = huge})},
      {"dilation 2^33", "conv2d: dilation must be from 1",
       conv({.out_channels = 2, .dilation = int64_t{1} << 33})},
      {"out_channels 2^40", "out of memory: could not allocate", conv({.out_channels = huge})},
      {"pool kernel 0", "max_pool2d: kernel_size must be from 1", pool({.kernel_size = 0})},
      {"average pool kernel 0", "avg_pool2d: kernel_size must be from 1",
       pool({.kernel_size = 0}, false)},
      {"pool stride 0", "max_pool2d: stride must be from 1", pool({.stride = 0})},
      {"pool stride -1", "max_pool2d: stride must be from 1", pool({.stride = -1})},
      {"pool padding too large", "at most half the kernel", pool({.padding = 2})},
      {"pool padding -1", "max_pool2d: padding must be from 0", pool({.padding = -1})},
      {"pool kernel larger than the picture", "a window of 9 does not fit into 8 pixels",
       pool({.kernel_size = 9})},
      {"ceil mode, pool kernel a stride larger", "a window of 10 does not fit into 8 pixels",
       pool({.kernel_size = 10, .ceil_mode = true})},
      {"pool of (N,C)", "expected src (N,C,H,W), got (1,3)",
       one([](Graph&, Value x) { return max_pool2d(global_avg_pool(x), {}); })},
      {"adaptive 0", "adaptive_avg_pool2d: output must be positive",
       one([](Graph&, Value x) { return adaptive_avg_pool2d(x, 0); })},
      {"adaptive -1", "adaptive_avg_pool2d: output must be positive",
       one([](Graph&, Value x) { return adaptive_avg_pool2d(x, -1); })},
      {"softmax of (N,C,H,W)", "expected src (N,C), got (1,3,8,8)",
       one([](Graph&, Value x) { return softmax(x); })},
      {"dropout 1", "probability must be in [0,1), got 1",
       one([](Graph&, Value x) { return dropout(x, 1); })},
      {"dropout -0.5", "probability must be in [0,1)",
       one([](Graph&, Value x) { return dropout(x, -0.5); })},
      {"dropout NaN", "probability must be in [0,1), got nan",
       one([](Graph&, Value x) { return dropout(x, NAN); })},
      {"concat of nothing", "concat of nothing", one([](Graph&, Value) { return concat({}); })},
      {"concat of ranks", "cannot join", one([](Graph&, Value x) {
         return concat({x, global_avg_pool(x)});
       })},
      {"concat of sizes", "cannot join (1,3,4,4) to (1,3,8,8)", one([](Graph&, Value x) {
         return concat({x, max_pool2d(x, {})});
       })},
      {"add of channels", "cannot add", one([](Graph& g, Value x) {
         return add(x, conv2d(g.root() / "c", x, {.out_channels = 4}));
       })},
      {"strided_slice 0", "slice_pad: stride must be positive",
       one([](Graph&, Value x) { return strided_slice(x, 0); })},
      {"strided_slice -1", "slice_pad: stride must be positive",
       one([](Graph&, Value x) { return strided_slice(x, -1); })},
      {"pad_channels -1", "slice_pad: channels must be from 0",
       one([](Graph&, Value x) { return pad_channels(x, -1, 0); })},
      {"pad_channels 0, -1", "slice_pad: channels must be from 0",
       one([](Graph&, Value x) { return pad_channels(x, 0, -1); })},
      {"pad_channels 2^62", "slice_pad: channels must be from 0",
       one([](Graph&, Value x) { return pad_channels(x, int64_t{1} << 62, 0); })},
      {"batch_norm epsilon -1", "batch_norm: epsilon must be finite and not negative",
       one([](Graph& g, Value x) { return batch_norm(g.root() / "b", x, {.epsilon = -1}); })},
      {"batch_norm epsilon NaN", "batch_norm: epsilon must be finite",
       one([](Graph& g, Value x) { return batch_norm(g.root() / "b", x, {.epsilon = NAN}); })},
      {"batch_norm momentum NaN", "batch_norm: momentum must be in [0,1], got nan",
       one([](Graph& g, Value x) { return batch_norm(g.root() / "b", x, {.momentum = NAN}); })},
      {"Tensor({-1})", "negative dimension", [] { Tensor({-1}); }},
      {"Tensor({2^40,2^40})", "overflows",
       [] {
         Tensor({huge, huge});
       }},
      {"tensor of too few values", "needs 4 values, got 3",
       [] {
         Tensor::of(std::vector<float>(3), {2, 2});
       }},
  });
  // Documented: padding may be larger than the kernel, and what is all padding is the bias.
  layer([](Graph& g, Value x) {
    return conv2d(g.root() / "c", x, {.out_channels = 2, .padding = 100});
  });
}

TEST_CASE("misuse: an op runs in the dtypes that it says, and in no other") {
  // Two nodes: the second one's op computes f32 alone, whatever the plan's dtype is.
  class Plain : public Op {
   public:
    const char* type() const override { return "plain"; }
    Shape infer(std::span<const Shape> src) const override { return src[0]; }
    std::unique_ptr<Kernel> compile(KernelBuilder&) const override { return nullptr; }
  };
  CHECK(Plain().computes(DType::f32, DType::f32));
  CHECK_FALSE(Plain().computes(DType::bf16, DType::bf16));
  for (const DType dtype : {DType::f32, DType::bf16}) {
    CHECK(Activate(Activation::clamp(0, 6)).computes(dtype, dtype));
    CHECK(Conv2d(1, {.out_channels = 1}).computes(dtype, dtype));
    CHECK_FALSE(Conv2d(1, {.out_channels = 1}).computes(dtype, DType::u8));
    CHECK(GlobalAvgPool().computes(dtype, DType::f32));
  }
  CHECK_FALSE(Linear(1, {.out_features = 1}).computes(DType::bf16, DType::bf16));
  CHECK_FALSE(Activate(Activation::clamp(0, 6)).computes(DType::u8, DType::u8));
}

TEST_CASE("NaN is handed on by every op, in inference and training, alone and fused") {
  const auto nan = std::numeric_limits<float>::quiet_NaN();
  using Append = std::function<Value(Graph&, Value)>;
  const std::vector<std::pair<const char*, Append>> ops = {
      {"relu", [](Graph&, Value x) { return relu(x); }},
      {"relu6", [](Graph&, Value x) { return relu6(x); }},
      {"max_pool2d", [](Graph&, Value x) { return max_pool2d(x, {}); }},
      {"avg_pool2d", [](Graph&, Value x) { return avg_pool2d(x, {}); }},
      {"dropout", [](Graph&, Value x) { return dropout(x, 0.9); }},
      {"adaptive", [](Graph&, Value x) { return adaptive_avg_pool2d(x, 3); }},
      {"add", [](Graph&, Value x) { return add(x, x); }},
      {"softmax", [](Graph&, Value x) { return softmax(global_avg_pool(x)); }},
      {"norm", [](Graph& g, Value x) { return batch_norm(g.root() / "n", x); }},
      {"norm relu", [](Graph& g, Value x) { return relu(batch_norm(g.root() / "n", x)); }},
      {"norm add relu",
       [](Graph& g, Value x) { return relu(add(batch_norm(g.root() / "n", x), x)); }},
      {"conv", [](Graph& g, Value x) { return conv2d(g.root() / "c", x, {.out_channels = 2}); }},
      {"conv relu",
       [](Graph& g, Value x) { return relu(conv2d(g.root() / "c", x, {.out_channels = 2})); }},
      {"conv 3x3 relu",
       [](Graph& g, Value x) {
         return relu(
             conv2d(g.root() / "c", x, {.out_channels = 2, .kernel_size = 3, .padding = 1}));
       }},
      {"depthwise relu",
       [](Graph& g, Value x) {
         return relu(conv2d(g.root() / "c", x,
                            {.out_channels = 3, .kernel_size = 3, .padding = 1, .groups = 3}));
       }},
      {"conv norm add relu",
       [](Graph& g, Value x) {
         const Value y = conv2d(g.root() / "c", x, {.out_channels = 3});
         return relu(add(batch_norm(g.root() / "n", y), x));
       }},
      {"winograd relu",
       [](Graph& g, Value x) {
         x = conv2d(g.root() / "wide", x, {.out_channels = 16});
         return relu(
             conv2d(g.root() / "c", x, {.out_channels = 16, .kernel_size = 3, .padding = 1}));
       }},
      {"linear",
       [](Graph& g, Value x) {
         return linear(g.root() / "fc", global_avg_pool(x), {.out_features = 2});
       }},
  };
  for (const auto& [name, append] : ops)
    for (const bool training : {false, true})
      for (const bool behind : {false, true}) {
        const auto& which = name;  // clang 14 cannot capture a structured binding
        CAPTURE(which);
        CAPTURE(training);
        CAPTURE(behind);
        Graph g;
        Value x = append(g, g.input(3));
        if (behind) x = conv2d(g.root() / "last", x, {.out_channels = 2});
        g.label("out", x);
        PlanOptions o = training ? PlanOptions::training({1, 3, 16, 16})
                                 : PlanOptions::inference({1, 3, 16, 16});
        o.loss_at = "out";
        o.keep = {"out"};
        std::optional<Plan> plan;
        try {
          plan.emplace(g, g.initialise(1), o);
        } catch (const Error&) {
          CHECK(behind);  // a convolution behind (N,C)
          continue;
        }
        Tensor images({1, 3, 16, 16});
        for (float& v : images.values()) v = nan;
        plan->run(images);
        const Tensor out = plan->output("out");
        for (const float v : out.values()) REQUIRE(std::isnan(v));
        CHECK(plan->first_not_finite(images) == "input");
      }
}

TEST_CASE("NaN: one pixel of a window is the window's maximum, and takes its gradient") {
  Graph g;
  g.label("out", max_pool2d(g.input(1), {}));
  PlanOptions o = PlanOptions::training({1, 1, 2, 4});
  o.keep = {"out"};
  o.loss_at = "out";
  o.input_gradient = true;
  Plan plan(g, {}, o);
  const auto nan = std::numeric_limits<float>::quiet_NaN();
  plan.run(Tensor::of(std::vector<float>{1, nan, 3, 1, 9, 2, 4, 2}, {1, 1, 2, 4}));
  const Tensor out = plan.output("out");
  CHECK(std::isnan(out.data()[0]));
  CHECK(out.data()[1] == 4);
  plan.backward(std::vector<float>{5, 7});
  const Tensor dx = plan.gradient("input");
  const std::vector<float> expected = {0, 5, 0, 0, 0, 0, 7, 0};
  CHECK(std::equal(expected.begin(), expected.end(), dx.data()));
}

TEST_CASE("plan: first_not_finite names the layer") {
  const Net net;
  Parameters p = net.parameters.clone();
  Tensor w = p.at("bn1.weight").value.clone();
  w.data()[3] = std::numeric_limits<float>::infinity();
  p.set("bn1.weight", w);
  PlanOptions o = PlanOptions::training(net.shape);
  o.fuse = false;
  Tensor images(net.shape);
  Random random(1);
  for (float& x : images.values()) x = static_cast<float>(random.normal());
  CHECK(Plan(net.graph, p, o).first_not_finite(images) == "bn1");
  CHECK(Plan(net.graph, net.parameters, o).first_not_finite(images).empty());
}

TEST_CASE("relu: no value is negative where somebody looks, though it was fused") {
  Graph g;
  g.label("out", relu(conv2d(g.root() / "c", g.input(3), {.out_channels = 5})));
  PlanOptions o = PlanOptions::inference({1, 3, 6, 6});
  o.keep = {"out"};
  Plan plan(g, g.initialise(1), o);
  Tensor images(o.input);
  Random random(1);
  for (float& x : images.values()) x = static_cast<float>(random.normal());
  plan.run(images);
  CHECK(plan.program().graph().nodes().size() == 2);
  int64_t zeros = 0;
  const Tensor out = plan.output("out");
  for (const float v : out.values()) {
    CHECK_FALSE(v < 0);
    zeros += v == 0;
  }
  CHECK(zeros > 10);
}

// A channel that no picture of a data set wakes is 0 in all features, and a scaler leaves it out; a
// trace of what is negative would be scaled to variance 1.
TEST_CASE("relu: a channel that sleeps is 0 in whatever a caller reads, though it was fused") {
  using Layers = std::function<Value(const Scope&, Value)>;
  const auto pooled = [](Value x) { return flatten(adaptive_avg_pool2d(x, 2)); };
  const std::vector<std::pair<std::string, Layers>> all = {
      {"global_avg_pool", [](const Scope&, Value x) { return global_avg_pool(x); }},
      {"max_pool2d", [](const Scope&, Value x) { return max_pool2d(x, {}); }},
      {"avg_pool2d, concat",
       [](const Scope&, Value x) {
         return concat({avg_pool2d(x, {}), max_pool2d(x, {})});
       }},
      {"slice_pad", [](const Scope&, Value x) { return slice_pad(x, {.stride = 2}); }},
      {"dropout, flatten", [&](const Scope&, Value x) { return dropout(pooled(x), 0.5); }},
      {"linear",
       [&](const Scope& s, Value x) {
         return linear(s / "fc", pooled(x), {.out_features = 3, .bias = false});
       }},
      {"conv2d",
       [](const Scope& s, Value x) {
         return relu(conv2d(s / "d", x, {.out_channels = 4, .kernel_size = 3, .bias = false}));
       }},
      {"add", [](const Scope&, Value x) { return add(x, x); }}};
  for (const auto& [name, layers] : all)
    for (const DType dtype : {DType::f32, DType::i8}) {
      const auto& which = name;  // clang 14 cannot capture a structured binding
      CAPTURE(which);
      CAPTURE(to_string(dtype));
      Graph g;
      const Value x = conv2d(g.root() / "c", g.input(3), {.out_channels = 5});
      g.label("features", layers(g.root(), relu(x)));
      Parameters parameters = g.initialise(1);
      parameters.set("c.bias", Tensor::of(std::vector<float>(5, -9), {5}));
      PlanOptions o = PlanOptions::inference({2, 3, 6, 6});
      o.dtype = dtype;
      o.slow_int8 = true;
      o.calibration["input"] = 1;
      Plan plan(g, parameters, o);
      Tensor images(o.input);
      Random random(1);
      for (float& v : images.values()) v = static_cast<float>(random.uniform(-1, 1));
      plan.run(images);
      const Tensor features = plan.output("features");
      for (const float v : features.values()) CHECK(v == 0);
    }
}
