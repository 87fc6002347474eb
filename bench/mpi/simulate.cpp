// A training step of p ranks in simulated time (SimGrid's SMPI): the ring sums of
// mpi/communicator.cpp over the buckets of train/gradient_exchange.cpp. bench/mpi/simulate.sh
// builds and runs it.
//
//   simulate ResNet101|DenseNet201 LATENCY BANDWIDTH [MEGABYTES]      seconds, bytes/s, of a bucket
//
// prints a cell of the table: weak-scaling efficiency in % without overlap and with it, in brackets
// what the closed form of docs/distributed.md says. Differences of over 3 % go to standard error.
//
// Nothing is computed: forward and backward are waits as long as the measured step. Overlap is
// computed by timestamps. In the real program one thread computes and one does MPI, but the first
// never waits for the second before the end of its backward, so the times at which buckets are
// ready are known when a step begins. One process a rank that waits for those times and does the
// rings in order therefore has the same time line as both threads, without a message between them
// that would have to travel over a simulated link.
#include <mpi.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr double forward_part = 1.0 / 3;
constexpr double model_hides_in = 0.6;  // of a step: what the closed form takes for overlap
constexpr int steps = 3;
constexpr double flops = 1e9;  // of a host in the platform, a second

// The networks as far as an exchange knows them: parameters, and multiply-adds of one picture of
// 224 x 224, in the order of forward. Late layers have most of the parameters and little of the
// work, so most of the bytes leave early.
struct Layer {
  size_t parameters;
  double work;
};

struct Network {
  double step = 0;  // measured seconds, batch 8 on two cores
  std::vector<Layer> layers;
  void convolution(size_t in, size_t out, size_t kernel, size_t size, size_t normed) {
    const size_t weights = in * out * kernel * kernel;
    layers.push_back({weights + 2 * normed, static_cast<double>(weights * size * size)});
  }
};

Network resnet101() {
  Network net{0.794, {}};
  const size_t blocks[] = {3, 4, 23, 3};
  net.convolution(3, 64, 7, 112, 64);
  for (size_t stage = 0, in = 64; stage < 4; ++stage) {
    const size_t width = size_t{64} << stage, size = size_t{56} >> stage;
    for (size_t i = 0; i < blocks[stage]; ++i, in = 4 * width) {
      const bool first = i == 0;
      net.convolution(in, width, 1, first && stage > 0 ? 2 * size : size, width);
      net.convolution(width, width, 3, size, width);
      net.convolution(width, 4 * width, 1, size, 4 * width);
      if (first) net.convolution(in, 4 * width, 1, size, 4 * width);
    }
  }
  net.convolution(2048, 1000, 1, 1, 500);  // a bias each
  return net;
}

Network densenet201() {
  Network net{0.549, {}};
  const size_t blocks[] = {6, 12, 48, 32};
  net.convolution(3, 64, 7, 112, 64);
  size_t channels = 64;
  for (size_t stage = 0; stage < 4; ++stage) {
    const size_t size = size_t{56} >> stage;
    for (size_t i = 0; i < blocks[stage]; ++i, channels += 32) {
      net.convolution(channels, 128, 1, size, channels);
      net.convolution(128, 32, 3, size, 128);
    }
    if (stage == 3) break;
    net.convolution(channels, channels / 2, 1, size, channels);
    channels /= 2;
  }
  net.convolution(channels, 1000, 1, 1, channels + 500);
  return net;
}

// What leaves together: closed as GradientExchange does, by the layer that makes it large enough.
struct Bucket {
  size_t floats;
  double ready;  // the share of backward's work that is done then
};

std::vector<Bucket> buckets_of(const Network& net, double megabytes) {
  const auto most = static_cast<size_t>(megabytes * (1 << 20) / sizeof(float));
  double all = 0, done = 0;
  for (const Layer& l : net.layers) all += l.work;
  std::vector<Bucket> buckets;
  for (size_t i = net.layers.size(); i-- > 0;) {
    if (buckets.empty() || buckets.back().floats >= most) buckets.push_back({});
    buckets.back().floats += net.layers[i].parameters;
    buckets.back().ready = (done += net.layers[i].work) / all;
  }
  return buckets;
}

void wait_until(double time) {
  const double left = time - MPI_Wtime();
  if (left > 0) smpi_execute_flops(left * flops);
}

void ring_sum(float* values, float* received, size_t n) {
  int rank, size;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  const auto p = static_cast<size_t>(size), r = static_cast<size_t>(rank);
  const auto begin = [&](size_t chunk) { return n * (chunk % p) / p; };
  const auto length = [&](size_t chunk) {
    return static_cast<int>(n * (chunk % p + 1) / p - begin(chunk));
  };
  for (size_t k = 0; k < 2 * (p - 1); ++k) {
    const size_t out = r + 2 * p - k, in = out + p - 1;
    MPI_Request both[2];
    MPI_Irecv(received, length(in), MPI_FLOAT, (rank + size - 1) % size, 3, MPI_COMM_WORLD,
              &both[0]);
    MPI_Isend(values + begin(out), length(out), MPI_FLOAT, (rank + 1) % size, 3, MPI_COMM_WORLD,
              &both[1]);
    MPI_Waitall(2, both, MPI_STATUSES_IGNORE);
  }
}

// What a rank keeps. Its memory is that of all ranks, whose sums nobody reads.
struct Training {
  double step;
  std::vector<Bucket> buckets;
  float *values, *received;
};

// The buckets leave when they are ready, or without overlap all behind backward.
void take_step(const Training& t, bool overlap) {
  const double backward = MPI_Wtime() + forward_part * t.step;
  const double length = (1 - forward_part) * t.step;
  float* values = t.values;
  for (const Bucket& bucket : t.buckets) {
    wait_until(backward + length * (overlap ? bucket.ready : 1));
    ring_sum(values, t.received, bucket.floats);
    values += bucket.floats;
  }
  wait_until(backward + length);
}

double seconds_a_step(const Training& t, bool overlap) {
  MPI_Barrier(MPI_COMM_WORLD);
  const double start = MPI_Wtime();
  for (int i = 0; i < steps; ++i) take_step(t, overlap);
  double own = (MPI_Wtime() - start) / steps, slowest = 0;
  MPI_Allreduce(&own, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  return slowest;
}

size_t floats_of(const std::vector<Bucket>& buckets) {
  size_t all = 0;
  for (const Bucket& b : buckets) all += b.floats;
  return all;
}

double model_exchange(const Training& t, int p, double latency, double bandwidth) {
  const auto bytes = static_cast<double>(floats_of(t.buckets) * sizeof(float));
  return 2 * (p - 1) * (latency * static_cast<double>(t.buckets.size()) + bytes / p / bandwidth);
}

void print_cell(const Training& t, double exchange, double apart, double beside) {
  const double hidden = std::max(0.0, exchange - model_hides_in * t.step);
  const double simulated[] = {100 * t.step / apart, 100 * t.step / beside};
  const double model[] = {100 * t.step / (t.step + exchange), 100 * t.step / (t.step + hidden)};
  std::printf(" %.0f, %.0f (%.0f, %.0f) |", simulated[0], simulated[1], model[0], model[1]);
  for (int i = 0; i < 2; ++i) {
    const double differs = simulated[i] / model[i] - 1;
    if (std::abs(differs) > 0.03)
      std::fprintf(stderr, "  %s overlap: %+.1f %% against the closed form\n",
                   i == 0 ? "without" : "with", 100 * differs);
  }
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank, size;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (argc < 4) MPI_Abort(MPI_COMM_WORLD, 2);
  const Network net = std::strcmp(argv[1], "ResNet101") == 0 ? resnet101() : densenet201();
  Training t{net.step, buckets_of(net, argc > 4 ? std::atof(argv[4]) : 25), nullptr, nullptr};
  const size_t bytes = floats_of(t.buckets) * sizeof(float);
  t.values = static_cast<float*>(SMPI_SHARED_MALLOC(bytes));
  t.received = static_cast<float*>(SMPI_SHARED_MALLOC(bytes));
  const double apart = seconds_a_step(t, false), beside = seconds_a_step(t, true);
  const double exchange = model_exchange(t, size, std::atof(argv[2]), std::atof(argv[3]));
  if (rank == 0) print_cell(t, exchange, apart, beside);
  SMPI_SHARED_FREE(t.values);
  SMPI_SHARED_FREE(t.received);
  MPI_Finalize();
}
