// The pipeline's two classifiers over fused features, for bench/fusion.py:
//   bench_fusion FEATURES.safetensors ALPHA SEED
// FEATURES holds diff1, diff2 and supplement F32 (n,width), labels I64 (n) and, I64 (1), how many
// of the rows train; prints one line of JSON.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "limbic/emotion/model.h"
#include "limbic/weights/safetensors.h"

using namespace limbic;
using namespace limbic::emotion;
using namespace limbic::network;
using namespace limbic::svm;
using namespace limbic::weights;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double accuracy(const std::vector<int64_t>& got, const std::vector<int64_t>& labels) {
  return evaluate_labels(got, labels, 1 + *std::max_element(labels.begin(), labels.end())).accuracy;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    require(count == 4, "usage: bench_fusion FEATURES.safetensors ALPHA SEED");
    const SafetensorsFile file = read_safetensors(arguments[1]);
    const std::vector<std::string> roles = {"diff1", "diff2", "supplement"};
    const auto all = file.tensors.at("labels").values<int64_t>();
    const int64_t n = file.tensors.at("train").values<int64_t>()[0];
    BranchFeatures train, test;
    for (const std::string& role : roles) {
      const Tensor& block = file.tensors.at(role);
      train.blocks.push_back(block.rows(0, n));
      test.blocks.push_back(block.rows(n, block.dim(0)));
    }
    train.labels.assign(all.begin(), all.begin() + n);
    test.labels.assign(all.begin() + n, all.end());
    const int64_t classes = 1 + *std::max_element(all.begin(), all.end());
    const ClassifierOptions options{.fusion = Fusion::with_alpha(std::atof(arguments[2])),
                                    .seed = std::strtoull(arguments[3], nullptr, 10)};
    auto start = Clock::now();
    const FusionClassifier both = train_classifier(roles, train, classes, options);
    const double fit = seconds_since(start);
    const Tensor x =
        apply_scaler(both.scaler, join_blocks(train.blocks), block_weights(options.fusion, roles));
    start = Clock::now();
    train_softmax_classifier(x, train.labels, classes);
    const double dense = seconds_since(start);
    const Prediction p = classify(both, roles, test.blocks, classes);
    std::printf(
        "{\"svm\":%.4f,\"dense\":%.4f,\"loss\":%.8f,\"converged\":%s,"
        "\"both_s\":%.2f,\"dense_s\":%.2f}\n",
        accuracy(p.labels, test.labels), accuracy(p.dense_labels, test.labels), both.dense.loss,
        both.dense.converged ? "true" : "false", fit, dense);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_fusion: %s\n", e.what());
    return 1;
  }
}
