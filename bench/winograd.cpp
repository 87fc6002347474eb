// Winograd's convolution against oneDNN's direct one on the 3x3 layers of ResNet101, DenseNet201
// and CIFAR's ResNet-20, in one process and taking turns:
//   bench_winograd [THREADS [PASS [FILTER]]]
// PASS is forward, backward_data or backward_weights; rows whose name contains FILTER. Each
// contender cycles through 8 copies of its weights (or of their gradient), as a network's layers
// do, so that small batches pay for reading weights from memory. Prints the median of the rounds in
// milliseconds; GFLOP/s count the multiplications and additions of the definition, for Winograd
// too; the error is ||difference|| / ||result|| over sampled results against an f64 sum.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "limbic/core/clock.h"
#include "limbic/core/error.h"
#include "limbic/core/parallel.h"
#include "limbic/core/random.h"
#include "limbic/nn/cpu/onednn/compat.h"
#include "limbic/nn/cpu/winograd/weight_gradient.h"

using namespace limbic;

namespace {

constexpr int64_t copies = 8;

struct Layer {
  const char* network;
  int64_t size, in_channels, out_channels;
  std::vector<int64_t> batches;
};

const std::vector<Layer> layers = {
    {"resnet101", 56, 64, 64, {1, 2, 8}},    {"resnet101", 28, 128, 128, {1, 2, 8}},
    {"resnet101", 14, 256, 256, {1, 2, 8}},  {"resnet101", 7, 512, 512, {1, 2, 8}},
    {"densenet201", 56, 128, 32, {1, 2, 8}}, {"densenet201", 28, 128, 32, {1, 2, 8}},
    {"densenet201", 14, 128, 32, {1, 2, 8}}, {"densenet201", 7, 128, 32, {1, 2, 8}},
    {"resnet20", 32, 16, 16, {128}},         {"resnet20", 16, 32, 32, {128}},
    {"resnet20", 8, 64, 64, {128}},
};

Tensor random_tensor(Shape shape, uint64_t stream) {
  Tensor t(std::move(shape));
  Random random(0, stream);
  for (float& x : t.values()) x = static_cast<float>(random.normal());
  return t;
}

// One way to compute the layer: run(copy) uses that copy of the weights or writes that gradient.
struct Contender {
  std::function<void(int64_t copy)> run;
  std::function<Tensor()> result;  // what run(0) wrote: dst, diff_src or diff_weight (o,i,3,3)
  std::vector<double> seconds = {};

  double median() {
    std::sort(seconds.begin(), seconds.end());
    return seconds[seconds.size() / 2];
  }
};

enum class Pass { forward, backward_data, backward_weights };

struct Problem {
  Pass pass = Pass::forward;
  winograd::Geometry geometry;  // of the forward convolution
  Tensor src, weight, dst;      // src, dst (n,h,w,c); weight (o,i,3,3); or their gradients
  Tensor gradients;             // copies of diff_weight, (3,3,i,o)
};

onednn::ConvolutionShape direct_shape(const Problem& p) {
  const auto& g = p.geometry;
  return {.src = onednn::channels_last({g.n, g.in_channels, g.h, g.w}),
          .weights = onednn::any_layout(p.weight.shape()),
          .dst = onednn::channels_last({g.n, g.out_channels, g.h, g.w}),
          .diff_weights = onednn::any_layout(p.weight.shape()),
          .bias = onednn::Desc(),
          .strides = {1, 1},
          .dilates = {0, 0},
          .padding_begin = {1, 1},
          .padding_end = {1, 1}};
}

dnnl::memory memory(const onednn::Desc& desc, void* data) {
  return dnnl::memory(desc, onednn::engine(), data);
}

// A primitive on 8 copies of weights in its own layout; `weights_argument` is what it calls them.
struct Direct {
  dnnl::primitive primitive;
  onednn::Desc weights_desc, scratchpad_desc;
  int src_argument, weights_argument, dst_argument;
};

Direct direct_primitive(const Problem& p) {
  const auto forward =
      onednn::convolution_forward(direct_shape(p), p.pass != Pass::forward, onednn::PostOps());
  if (p.pass == Pass::backward_data) {
    const auto desc = onednn::convolution_backward_data(direct_shape(p), forward);
    return {onednn::make(desc), desc.weights_desc(), desc.scratchpad_desc(),
            DNNL_ARG_DIFF_SRC,  DNNL_ARG_WEIGHTS,    DNNL_ARG_DIFF_DST};
  }
  if (p.pass == Pass::backward_weights) {
    const auto desc = onednn::convolution_backward_weights(direct_shape(p), forward);
    return {onednn::make(desc), desc.diff_weights_desc(), desc.scratchpad_desc(),
            DNNL_ARG_SRC,       DNNL_ARG_DIFF_WEIGHTS,    DNNL_ARG_DIFF_DST};
  }
  return {onednn::make(forward), forward.weights_desc(), forward.scratchpad_desc(),
          DNNL_ARG_SRC,          DNNL_ARG_WEIGHTS,       DNNL_ARG_DST};
}

Contender direct(const Problem& p) {
  const auto& g = p.geometry;
  const Direct d = direct_primitive(p);
  const auto bytes = static_cast<int64_t>(d.weights_desc.get_size());
  const Tensor packed({copies * bytes / 4}),
      scratch({std::max<int64_t>(1, static_cast<int64_t>(d.scratchpad_desc.get_size()) / 4)});
  std::vector<dnnl::memory> weights;
  for (int64_t i = 0; i < copies; ++i) {
    weights.push_back(memory(d.weights_desc, packed.data() + i * bytes / 4));
    onednn::reorder_once(onednn::canonical(p.weight.shape()), p.weight.raw(), d.weights_desc,
                         weights.back().get_data_handle());
  }
  const auto src = memory(onednn::channels_last({g.n, g.in_channels, g.h, g.w}), p.src.raw()),
             dst = memory(onednn::channels_last({g.n, g.out_channels, g.h, g.w}), p.dst.raw()),
             scratchpad = memory(d.scratchpad_desc, scratch.raw());
  return {[=](int64_t i) {
            (void)packed, (void)scratch;  // kept alive
            onednn::execute(d.primitive, {{d.src_argument, &src},
                                          {d.weights_argument, &weights[static_cast<size_t>(i)]},
                                          {d.dst_argument, &dst},
                                          {DNNL_ARG_SCRATCHPAD, &scratchpad}});
          },
          [=] {
            if (p.pass != Pass::backward_weights) return p.pass == Pass::forward ? p.dst : p.src;
            const Tensor out(p.weight.shape());
            onednn::reorder_once(d.weights_desc, packed.raw(), onednn::canonical(out.shape()),
                                 out.raw());
            return out;
          }};
}

Contender winograd_with(const Problem& p, int m) {
  const bool backward = p.pass == Pass::backward_data;
  const winograd::Geometry g = backward ? p.geometry.backward_data() : p.geometry;
  const winograd::Convolution conv(g, m);
  const Tensor packed({copies, conv.packed_weight_floats()}), scratch({conv.scratch_floats()});
  for (int64_t i = 0; i < copies; ++i)
    conv.pack(p.weight.data(), {.backward_data = backward}, packed.rows(i, i + 1).data());
  return {[=, src = backward ? p.dst : p.src, dst = backward ? p.src : p.dst](int64_t i) {
            conv.run(src.data(), packed.data() + i * conv.packed_weight_floats(), dst.data(),
                     g.out_channels, {}, scratch.data());
          },
          [=] { return backward ? p.src : p.dst; }};
}

Contender winograd_weight_gradient(const Problem& p) {
  const winograd::WeightGradient gradient(p.geometry);
  const Tensor scratch({gradient.scratch_floats()});
  return {[=, src = p.src, dst = p.dst, out = p.gradients](int64_t i) {
            gradient.run(src.data(), dst.data(), out.rows(i, i + 1).data(), scratch.data());
          },
          [=] {
            const Tensor out(p.weight.shape());
            const int64_t kernels = p.geometry.in_channels * p.geometry.out_channels;
            for (int64_t o = 0; o < p.geometry.out_channels; ++o)
              for (int64_t k = 0; k < p.geometry.in_channels * 9; ++k)
                out.data()[o * p.geometry.in_channels * 9 + k] =
                    p.gradients.data()[k % 9 * kernels + k / 9 * p.geometry.out_channels + o];
            return out;
          }};
}

// The element (n,o,y,x) of dst, (n,i,y,x) of diff_src or (o,i,u,v) of diff_weight by its
// definition, where i runs over all that are not given; and where it lies in a result.
struct Sample {
  double value = 0;
  int64_t at = 0;
};

Sample sample(const Problem& p, Random& random) {
  const auto& g = p.geometry;
  const auto src = [&](int64_t n, int64_t i, int64_t y, int64_t x) {
    const bool inside = y >= 0 && x >= 0 && y < g.h && x < g.w;
    return inside ? double{p.src.data()[((n * g.h + y) * g.w + x) * g.in_channels + i]} : 0;
  };
  const auto dst = [&](int64_t n, int64_t o, int64_t y, int64_t x) {
    const bool inside = y >= 0 && x >= 0 && y < g.h && x < g.w;
    return inside ? double{p.dst.data()[((n * g.h + y) * g.w + x) * g.out_channels + o]} : 0;
  };
  const auto weight = [&](int64_t o, int64_t i, int64_t tap) {
    return double{p.weight.data()[(o * g.in_channels + i) * 9 + tap]};
  };
  const int64_t n = random.below(g.n), o = random.below(g.out_channels),
                i = random.below(g.in_channels), y = random.below(g.h), x = random.below(g.w),
                tap = random.below(9);
  Sample s;
  if (p.pass == Pass::backward_weights) {
    s.at = (o * g.in_channels + i) * 9 + tap;
    for (int64_t image = 0; image < g.n; ++image)
      for (int64_t pixel = 0; pixel < g.h * g.w; ++pixel)
        s.value += dst(image, o, pixel / g.w, pixel % g.w) *
                   src(image, i, pixel / g.w + tap / 3 - 1, pixel % g.w + tap % 3 - 1);
    return s;
  }
  const bool forward = p.pass == Pass::forward;
  const int64_t outer = forward ? g.out_channels : g.in_channels,
                inner = forward ? g.in_channels : g.out_channels, channel = forward ? o : i;
  s.at = ((n * g.h + y) * g.w + x) * outer + channel;
  for (int64_t t = 0; t < 9; ++t)
    for (int64_t c = 0; c < inner; ++c)
      s.value += forward ? src(n, c, y + t / 3 - 1, x + t % 3 - 1) * weight(o, c, t)
                         : dst(n, c, y - t / 3 + 1, x - t % 3 + 1) * weight(c, i, t);
  return s;
}

double error(const Problem& p, Contender& contender) {
  const Tensor& written = p.pass == Pass::forward         ? p.dst
                          : p.pass == Pass::backward_data ? p.src
                                                          : p.gradients;
  std::fill_n(written.data(), written.size(), NAN);
  contender.run(0);
  const Tensor result = contender.result();
  Random random(1);
  double difference = 0, norm = 0;
  for (int i = 0; i < (p.pass == Pass::backward_weights ? 200 : 1000); ++i) {
    const Sample s = sample(p, random);
    difference += std::pow(result.data()[s.at] - s.value, 2);
    norm += s.value * s.value;
  }
  return std::sqrt(difference / norm);
}

Problem make_problem(const Layer& layer, int64_t batch, Pass pass) {
  Problem p;
  p.pass = pass;
  p.geometry = {.n = batch,
                .h = layer.size,
                .w = layer.size,
                .in_channels = layer.in_channels,
                .out_channels = layer.out_channels};
  p.src = random_tensor({batch, layer.size, layer.size, layer.in_channels}, 1);
  p.weight = random_tensor({layer.out_channels, layer.in_channels, 3, 3}, 2);
  p.dst = random_tensor({batch, layer.size, layer.size, layer.out_channels}, 3);
  p.gradients = Tensor({copies, 9 * layer.in_channels * layer.out_channels});
  return p;
}

void measure(const Layer& layer, int64_t batch, Pass pass) {
  const Problem p = make_problem(layer, batch, pass);
  std::vector<Contender> contenders = {direct(p)};
  if (pass == Pass::backward_weights) {
    contenders.push_back(winograd_weight_gradient(p));
  } else {
    contenders.push_back(winograd_with(p, 2));
    contenders.push_back(winograd_with(p, 4));
  }
  std::vector<double> errors;
  for (Contender& c : contenders) errors.push_back(error(p, c));
  const double begin = now();
  for (int64_t round = 0; round < 2 * copies || now() - begin < 0.5; ++round)
    for (Contender& c : contenders) {
      const double start = now();
      c.run(round % copies);
      c.seconds.push_back(now() - start);
    }
  const double flops =
      2.0 * 9 * static_cast<double>(layer.in_channels) * static_cast<double>(p.dst.size());
  std::printf("| %-11s | %2dx%2dx%3d->%3d | %3d |", layer.network, static_cast<int>(layer.size),
              static_cast<int>(layer.size), static_cast<int>(layer.in_channels),
              static_cast<int>(layer.out_channels), static_cast<int>(batch));
  const double base = contenders[0].median();
  for (Contender& c : contenders)
    std::printf(" %7.3f %5.0f |", c.median() * 1e3, flops / c.median() * 1e-9);
  for (size_t i = 1; i < contenders.size(); ++i)
    std::printf(" %4.2f |", base / contenders[i].median());
  for (const double e : errors) std::printf(" %.1e |", e);
  std::printf("\n");
  std::fflush(stdout);
}

void print_head(Pass pass) {
  const std::vector<const char*> ours = pass == Pass::backward_weights
                                            ? std::vector<const char*>{"F(4,3)"}
                                            : std::vector<const char*>{"F(2,3)", "F(4,3)"};
  std::printf("| network     | layer          |   N | direct ms GF/s |");
  for (const char* name : ours) std::printf(" %s ms GF/s |", name);
  for (const char* name : ours) std::printf(" %s speed-up |", name);
  std::printf(" direct error |");
  for (const char* name : ours) std::printf(" %s error |", name);
  std::printf("\n|");
  for (size_t i = 0; i < 5 + 3 * ours.size(); ++i) std::printf("---|");
  std::printf("\n");
}

Pass pass_named(const std::string& name) {
  if (name == "backward_data") return Pass::backward_data;
  if (name == "backward_weights") return Pass::backward_weights;
  require(name == "forward", "expected forward, backward_data or backward_weights, got ", name);
  return Pass::forward;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc > 1) set_threads(std::atoi(argv[1]));
  const Pass pass = pass_named(argc > 2 ? argv[2] : "forward");
  const std::string filter = argc > 3 ? argv[3] : "";
  std::printf("%d threads, oneDNN %s\n\n", threads(), onednn::version().c_str());
  print_head(pass);
  for (const Layer& layer : layers)
    for (const int64_t batch : layer.batches)
      if ((layer.network + std::to_string(layer.size)).find(filter) != std::string::npos)
        measure(layer, batch, pass);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "winograd: %s\n", e.what());
  return 1;
}
