// Winograd's convolution against oneDNN's direct one on the 3x3 layers of ResNet101, DenseNet201
// and CIFAR's ResNet-20, forward, in one process and taking turns:
//   bench_winograd [THREADS [FILTER]]        rows whose name contains FILTER
// Each contender cycles through 8 copies of its weights, as a network's layers do, so that small
// batches pay for reading weights from memory. Prints the median of the rounds in milliseconds;
// GFLOP/s count the multiplications and additions of the definition, for Winograd too; the error is
// ||difference|| / ||result|| over sampled outputs against an f64 sum.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "nn/core/clock.h"
#include "nn/core/parallel.h"
#include "nn/core/random.h"
#include "nn/onednn/compat.h"
#include "nn/winograd/convolution.h"

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

// One way to compute the layer: run(copy) uses that copy of the weights.
struct Contender {
  std::function<void(int64_t copy)> run;
  std::vector<double> seconds;

  double median() {
    std::sort(seconds.begin(), seconds.end());
    return seconds[seconds.size() / 2];
  }
};

struct Problem {
  winograd::Geometry geometry;
  Tensor src, weight, dst;  // src, dst (n,h,w,c); weight (o,i,3,3)
};

Contender direct(const Problem& p) {
  const auto& g = p.geometry;
  const auto desc =
      onednn::convolution_forward({.src = onednn::channels_last({g.n, g.in_channels, g.h, g.w}),
                                   .weights = onednn::any_layout(p.weight.shape()),
                                   .dst = onednn::channels_last({g.n, g.out_channels, g.h, g.w}),
                                   .bias = onednn::Desc(),
                                   .strides = {1, 1},
                                   .dilates = {0, 0},
                                   .padding_begin = {1, 1},
                                   .padding_end = {1, 1}},
                                  false, {});
  const auto memory = [](const onednn::Desc& d, void* data) {
    return dnnl::memory(d, onednn::engine(), data);
  };
  const auto weights_desc = desc.weights_desc();
  const auto bytes = static_cast<int64_t>(weights_desc.get_size());
  const Tensor packed({copies * bytes / 4}),
      scratch({std::max<int64_t>(1, static_cast<int64_t>(desc.scratchpad_desc().get_size()) / 4)});
  std::vector<dnnl::memory> weights;
  for (int64_t i = 0; i < copies; ++i) {
    weights.push_back(memory(weights_desc, packed.data() + i * bytes / 4));
    onednn::reorder_once(onednn::canonical(p.weight.shape()), p.weight.raw(), weights_desc,
                         weights.back().get_data_handle());
  }
  const auto src = memory(desc.src_desc(), p.src.raw()), dst = memory(desc.dst_desc(), p.dst.raw());
  const auto scratchpad = memory(desc.scratchpad_desc(), scratch.raw());
  return {[=, primitive = onednn::make(desc)](int64_t i) {
            (void)packed, (void)scratch;  // kept alive
            onednn::execute(primitive, {{DNNL_ARG_SRC, &src},
                                        {DNNL_ARG_WEIGHTS, &weights[static_cast<size_t>(i)]},
                                        {DNNL_ARG_DST, &dst},
                                        {DNNL_ARG_SCRATCHPAD, &scratchpad}});
          },
          {}};
}

Contender winograd_with(const Problem& p, int m) {
  const winograd::Convolution conv(p.geometry, m);
  const Tensor packed({copies, conv.packed_weight_floats()}), scratch({conv.scratch_floats()});
  for (int64_t i = 0; i < copies; ++i) conv.pack(p.weight.data(), {}, packed.rows(i, i + 1).data());
  return {[=, src = p.src, dst = p.dst](int64_t i) {
            conv.run(src.data(), packed.data() + i * conv.packed_weight_floats(), dst.data(),
                     p.geometry.out_channels, {}, scratch.data());
          },
          {}};
}

double error(const Problem& p) {
  const auto& g = p.geometry;
  Random random(1);
  double difference = 0, norm = 0;
  for (int sample = 0; sample < 1000; ++sample) {
    const int64_t n = random.below(g.n), o = random.below(g.out_channels), y = random.below(g.h),
                  x = random.below(g.w);
    double sum = 0;
    for (int64_t u = 0; u < 3; ++u)
      for (int64_t v = 0; v < 3; ++v) {
        const int64_t sy = y + u - 1, sx = x + v - 1;
        if (sy < 0 || sx < 0 || sy >= g.h || sx >= g.w) continue;
        for (int64_t i = 0; i < g.in_channels; ++i)
          sum += double{p.src.data()[((n * g.h + sy) * g.w + sx) * g.in_channels + i]} *
                 double{p.weight.data()[((o * g.in_channels + i) * 3 + u) * 3 + v]};
      }
    const double got = p.dst.data()[((n * g.h + y) * g.w + x) * g.out_channels + o];
    difference += (got - sum) * (got - sum);
    norm += sum * sum;
  }
  return std::sqrt(difference / norm);
}

void measure(const Layer& layer, int64_t batch) {
  Problem p = {.geometry = {.n = batch,
                            .h = layer.size,
                            .w = layer.size,
                            .in_channels = layer.in_channels,
                            .out_channels = layer.out_channels}};
  p.src = random_tensor({batch, layer.size, layer.size, layer.in_channels}, 1);
  p.weight = random_tensor({layer.out_channels, layer.in_channels, 3, 3}, 2);
  p.dst = Tensor({batch, layer.size, layer.size, layer.out_channels});
  Contender contenders[] = {direct(p), winograd_with(p, 2), winograd_with(p, 4)};
  double errors[3];
  for (int i = 0; i < 3; ++i) {
    std::fill_n(p.dst.data(), p.dst.size(), NAN);
    contenders[i].run(0);
    errors[i] = error(p);
  }
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
  std::printf(" %4.2f | %4.2f | %.1e | %.1e | %.1e |\n", base / contenders[1].median(),
              base / contenders[2].median(), errors[0], errors[1], errors[2]);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc > 1) set_threads(std::atoi(argv[1]));
  const std::string filter = argc > 2 ? argv[2] : "";
  std::printf("%d threads, oneDNN %s\n\n", threads(), onednn::version().c_str());
  std::printf(
      "| network     | layer          |   N | direct ms GF/s | F(2,3) ms GF/s | F(4,3) ms GF/s "
      "| F2 speed-up | F4 speed-up | direct error | F2 error | F4 error |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const Layer& layer : layers)
    for (const int64_t batch : layer.batches)
      if ((layer.network + std::to_string(layer.size)).find(filter) != std::string::npos)
        measure(layer, batch);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "winograd: %s\n", e.what());
  return 1;
}
