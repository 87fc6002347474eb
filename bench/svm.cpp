// Limbic's SVM for bench/svm.py: reads samples once, then answers lines of standard input.
//
//   bench_svm FEATURES.safetensors THREADS      tensors train, test F32 (n,d), labels, truth I64
//
//   fit C EPS MEGABYTES   seconds, pairs' summed objective, support vectors
//   predict               seconds of all test rows and the share of right labels
//   labels                of all test rows, and the smallest |decision value| of each
//   product               seconds of the distances' matrix product and of the whole kernel matrix
//   sweep MEGABYTES       a line for each of 5 alphas x 12 C: alpha, C, accuracy on the test rows,
//                         seconds since the start; the features' blocks are the paper's
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <sstream>

#include "limbic/core/clock.h"
#include "limbic/core/parallel.h"
#include "limbic/core/version.h"
#include "limbic/svm/gemm.h"
#include "limbic/svm/kernel.h"
#include "limbic/svm/svc.h"
#include "limbic/svm/sweep.h"
#include "limbic/weights/safetensors.h"

using namespace limbic;
using namespace limbic::svm;
using namespace limbic::weights;

namespace {

std::vector<int> labels_of(const Tensor& tensor) {
  std::vector<int> out;
  for (int64_t label : tensor.values<int64_t>()) out.push_back(static_cast<int>(label));
  return out;
}

struct Bench {
  Tensor train, test;
  std::vector<int> labels, truth;
  SvcModel model;

  explicit Bench(const std::string& path) {
    const SafetensorsFile file = read_safetensors(path);
    train = file.tensors.at("train").clone();
    test = file.tensors.at("test").clone();
    labels = labels_of(file.tensors.at("labels"));
    truth = labels_of(file.tensors.at("truth"));
  }

  void fit(std::istringstream& line) {
    SvcOptions options;
    options.gamma_rule = GammaRule::automatic;
    double megabytes = 0;
    line >> options.C >> options.eps >> megabytes;
    options.budget_bytes = static_cast<int64_t>(megabytes * 1024 * 1024);
    const double start = now();
    model = train_svc(train, labels, options);
    const double seconds = now() - start;
    double objective = 0;
    int64_t iterations = 0;
    for (const PairReport& pair : model.pairs) {
      objective += pair.objective;
      iterations += pair.iterations;
    }
    std::printf("%.6f %.12g %ld %ld\n", seconds, objective, model.support_vectors.dim(0),
                iterations);
  }

  void predict_all() {
    const double start = now();
    const std::vector<int> predicted = predict(model, test);
    const double seconds = now() - start;
    int64_t right = 0;
    for (size_t i = 0; i < truth.size(); ++i) right += predicted[i] == truth[i];
    std::printf("%.6f %.6f\n", seconds,
                static_cast<double>(right) / static_cast<double>(truth.size()));
  }

  void print_labels() {
    const Tensor decisions = decision_values(model, test);
    const std::vector<int> predicted = vote(model, decisions);
    const int64_t pairs = decisions.dim(1);
    for (size_t i = 0; i < predicted.size(); ++i) {
      double smallest = INFINITY;
      for (int64_t p = 0; p < pairs; ++p)
        smallest = std::min(
            smallest, std::abs(decisions.data<double>()[static_cast<int64_t>(i) * pairs + p]));
      std::printf("%d:%.9g ", predicted[i], smallest);
    }
    std::printf("\n");
  }

  void time_product() {
    const int64_t n = train.dim(0), d = train.dim(1);
    Tensor out({n, n});
    const Matrix<const float> x{train.data(), n, d, d};
    const Matrix<float> square{out.data(), n, n, n};
    double start = now();
    gemm_symmetric(x, square);
    const double product = now() - start;
    start = now();
    kernel_matrix(train, {.gamma = 1.0 / static_cast<double>(d)});
    std::printf("%.6f %.6f\n", product, now() - start);
  }

  // alpha X1 (+) (1 - alpha) X2 (+) S of 2048, 1920 and the other features.
  void sweep_alpha(std::istringstream& line) {
    double megabytes = 0;
    line >> megabytes;
    const double start = now();
    const int64_t n = train.dim(0), m = test.dim(0), d = train.dim(1);
    require(d > 2048 + 1920, "sweep: expected more than 3,968 features, got ", d);
    std::vector<Tensor> blocks;
    std::vector<double> variance;
    for (const auto& [begin, end] : {Range{0, 2048}, Range{2048, 3968}, Range{3968, d}}) {
      blocks.push_back(columns(begin, end));
      variance.push_back(summed_variance(blocks.back().rows(0, n)));
    }
    SweepOptions options{.kernels = {},
                         .C = {0.125, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4, 8, 16},
                         .fold = std::vector<int>(static_cast<size_t>(n), -1),
                         .svc = {}};
    options.fold.resize(static_cast<size_t>(n + m), 0);
    options.svc.budget_bytes = static_cast<int64_t>(megabytes * 1024 * 1024);
    const std::vector<double> alphas = {0, 0.25, 0.5, 0.75, 1};
    for (double a : alphas) {
      const double sum = a * a * variance[0] + (1 - a) * (1 - a) * variance[1] + variance[2];
      options.kernels.push_back({{a, 1 - a, 1}, 1 / sum});
    }
    std::vector<int> all = labels;
    all.insert(all.end(), truth.begin(), truth.end());
    sweep(blocks, all, options, [&](const SweepCell& cell) {
      int64_t right = 0;
      for (size_t i = labels.size(); i < all.size(); ++i) right += cell.predicted[i] == all[i];
      std::printf("%g %g %.6f %.3f\n", alphas[cell.kernel], cell.C,
                  static_cast<double>(right) / static_cast<double>(m), now() - start);
      std::fflush(stdout);
    });
  }

  // Columns of the training rows and then of the test rows.
  Tensor columns(int64_t begin, int64_t end) const {
    const int64_t n = train.dim(0), m = test.dim(0), d = train.dim(1), width = end - begin;
    Tensor out = Tensor::uninitialised({n + m, width});
    parallel_for(n + m, [&](int64_t i) {
      const float* row = i < n ? train.data() + i * d : test.data() + (i - n) * d;
      std::copy_n(row + begin, width, out.data() + i * width);
    });
    return out;
  }
};

}  // namespace

int main(int argc, char** argv) try {
  require(argc == 3, "usage: bench_svm FEATURES.safetensors THREADS");
  set_threads(std::atoi(argv[2]));
  Bench bench(argv[1]);
  std::printf("%s\n", highway_version().c_str());
  std::fflush(stdout);
  for (std::string text; std::getline(std::cin, text);) {
    std::istringstream line(text);
    std::string verb;
    line >> verb;
    if (verb == "fit")
      bench.fit(line);
    else if (verb == "predict")
      bench.predict_all();
    else if (verb == "labels")
      bench.print_labels();
    else if (verb == "sweep")
      bench.sweep_alpha(line);
    else if (verb == "product")
      bench.time_product();
    else
      fail("bench_svm: unknown line '", text, "'");
    std::fflush(stdout);
  }
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "bench_svm: %s\n", e.what());
  return 1;
}
