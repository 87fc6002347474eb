#include "limbic/emotion/sweep.h"
#include "limbic/hash/hash.h"

#include <algorithm>

#include "limbic/core/file.h"
#include "limbic/svm/products.h"
#include "limbic/svm/sweep.h"

namespace limbic::emotion {
namespace {

enum class Part { train, validation, test };

// Training and test pictures in one.
struct Rows {
  Tensor joined;  // features as they came, blocks side by side
  std::vector<int> labels;
  std::vector<Part> part;

  std::vector<int64_t> of(Part wanted) const {
    std::vector<int64_t> out;
    for (size_t i = 0; i < part.size(); ++i)
      if (part[i] == wanted) out.push_back(static_cast<int64_t>(i));
    return out;
  }
};

Rows rows_of(const FitResult& prepared) {
  const BranchFeatures &train = prepared.train_features, &test = prepared.test_features;
  const Tensor a = join_blocks(train.blocks);
  const Tensor b = test.labels.empty() ? Tensor({0, a.dim(1)}) : join_blocks(test.blocks);
  Rows out{Tensor::uninitialised({a.dim(0) + b.dim(0), a.dim(1)}), {}, {}};
  std::copy_n(a.data(), a.size(), out.joined.data());
  std::copy_n(b.data(), b.size(), out.joined.data() + a.size());
  out.labels.assign(train.labels.begin(), train.labels.end());
  out.labels.insert(out.labels.end(), test.labels.begin(), test.labels.end());
  out.part.assign(train.labels.size(), Part::train);
  for (int64_t row : prepared.validation_rows)
    out.part[static_cast<size_t>(row)] = Part::validation;
  out.part.resize(out.labels.size(), Part::test);
  return out;
}

class FusionSweep {
 public:
  FusionSweep(const FitResult& prepared, const FusionSweepOptions& options,
              const std::function<void(const FusionCell&)>& done)
      : roles_(prepared.model.roles()),
        classes_(std::ssize(prepared.model.classes)),
        options_(options),
        done_(done),
        rows_(rows_of(prepared)),
        training_(rows_.of(Part::train)),
        scaler_(svm::fit_scaler(svm::take_rows(rows_.joined, training_),
                                feature_blocks(roles_, prepared.train_features.blocks),
                                {.mode = options.classifier.scale_blocks ? svm::ScaleMode::standard
                                                                         : svm::ScaleMode::none})) {
  }

  void run_dense() {
    std::vector<int64_t> labels;
    for (int64_t row : training_) labels.push_back(rows_.labels[static_cast<size_t>(row)]);
    for (size_t f = 0; f < options_.fusions.size(); ++f) {
      if (options_.known(f, std::nullopt)) continue;
      const Tensor x = svm::apply_scaler(scaler_, rows_.joined, weights(f));
      const SoftmaxClassifier dense =
          train_softmax_classifier(svm::take_rows(x, training_), labels, classes_);
      const Tensor probabilities = dense.probabilities(x);
      std::vector<int> predicted;
      for (int64_t i = 0; i < x.dim(0); ++i)
        predicted.push_back(
            static_cast<int>(network::argmax(probabilities.rows(i, i + 1).values())));
      FusionCell out = cell(f, std::nullopt, predicted);
      out.converged = dense.converged;
      done_(out);
    }
  }

  void run_svm() {
    if (options_.classifier.kernel == svm::KernelType::linear)
      run_linear();
    else
      run_rbf();
  }

 private:
  void run_linear() {
    std::vector<int> labels;
    for (int64_t row : training_) labels.push_back(rows_.labels[static_cast<size_t>(row)]);
    for (size_t f = 0; f < options_.fusions.size(); ++f) {
      const Tensor x = svm::apply_scaler(scaler_, rows_.joined, weights(f));
      const Tensor own = svm::take_rows(x, training_);
      for (double C : options_.C) {
        if (options_.known(f, C)) continue;
        const svm::SvcModel model = svm::train_svc(own, labels,
                                                   {.C = C,
                                                    .kernel = svm::KernelType::linear,
                                                    .budget_bytes = options_.budget_bytes,
                                                    .seed = options_.classifier.seed});
        FusionCell out = cell(f, C, svm::predict(model, x));
        out.converged = model.converged();
        done_(out);
      }
    }
  }

  void run_rbf() {
    svm::SweepOptions sweep_options{
        .kernels = {},
        .C = options_.C,
        .fold = {},
        .svc = {},
        .known = [&](size_t kernel, double C) { return options_.known(kernel, C); }};
    sweep_options.svc.seed = options_.classifier.seed;
    sweep_options.svc.budget_bytes = options_.budget_bytes;
    for (Part part : rows_.part) sweep_options.fold.push_back(part == Part::train ? -1 : 0);
    for (size_t f = 0; f < options_.fusions.size(); ++f)
      sweep_options.kernels.push_back(
          {weights(f), fusion_gamma(options_.classifier, scaler_, weights(f))});
    std::vector<Tensor> blocks;
    const Tensor scaled = svm::apply_scaler(scaler_, rows_.joined);
    for (const svm::FeatureBlock& block : scaler_.blocks)
      blocks.push_back(svm::take_columns(scaled, block));
    svm::sweep(blocks, rows_.labels, sweep_options, [&](const svm::SweepCell& found) {
      FusionCell out = cell(found.kernel, found.C, found.predicted);
      out.converged = found.converged;
      done_(out);
    });
  }

  std::vector<double> weights(size_t fusion) const {
    return block_weights(options_.fusions[fusion], roles_);
  }

  FusionCell cell(size_t fusion, std::optional<double> C, const std::vector<int>& predicted) const {
    FusionCell out{fusion, C, accuracy(predicted, Part::validation), 0, {}, {}};
    out.test_accuracy = accuracy(predicted, Part::test).value_or(0);
    for (size_t i = 0; i < predicted.size(); ++i) {
      if (rows_.part[i] == Part::validation) out.validation_labels.push_back(predicted[i]);
      if (rows_.part[i] == Part::test) out.test_labels.push_back(predicted[i]);
    }
    return out;
  }

  std::optional<double> accuracy(const std::vector<int>& predicted, Part part) const {
    int64_t right = 0, all = 0;
    for (size_t i = 0; i < predicted.size(); ++i) {
      if (rows_.part[i] != part) continue;
      ++all;
      right += predicted[i] == rows_.labels[i];
    }
    if (all == 0) return std::nullopt;
    return static_cast<double>(right) / static_cast<double>(all);
  }

  std::vector<std::string> roles_;
  int64_t classes_;
  const FusionSweepOptions& options_;
  const std::function<void(const FusionCell&)>& done_;
  Rows rows_;
  std::vector<int64_t> training_;
  svm::BlockScaler scaler_;
};

template <class T>
std::string hash_of(std::span<const T> values) {
  return sha256({reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()});
}

}  // namespace

void sweep_fusions(const FitResult& prepared, const FusionSweepOptions& options,
                   const std::function<void(const FusionCell&)>& done) {
  require(!prepared.test_features.labels.empty() || !prepared.validation_rows.empty(),
          "sweep: no pictures were held out");
  for (const Fusion& fusion : options.fusions) check(fusion);
  check(options.classifier);
  FusionSweep sweep(prepared, options, done);
  sweep.run_dense();
  sweep.run_svm();
}

BestCell best_cell(size_t fusions, size_t Cs,
                   const std::function<double(size_t fusion, size_t C)>& score) {
  BestCell out;
  double best_row = -1;
  for (size_t f = 0; f < fusions; ++f) {
    double row = 0;
    for (size_t c = 0; c < Cs; ++c) row += score(f, c) / static_cast<double>(Cs);
    for (size_t c = 0; c < Cs; ++c) {
      const double s = score(f, c);
      if (s < out.score || (s == out.score && row <= best_row)) continue;
      out = {f, c, s};
      best_row = row;
    }
  }
  return out;
}

std::string hash_of_features(const FitResult& prepared) {
  std::string hashes;
  for (const BranchFeatures* features : {&prepared.train_features, &prepared.test_features}) {
    for (const Tensor& block : features->blocks)
      hashes += hash_of(std::span<const float>(block.values()));
    hashes += hash_of(std::span<const int64_t>(features->labels));
  }
  hashes += hash_of(std::span<const int64_t>(prepared.validation_rows));
  for (const std::string& role : prepared.model.roles()) hashes += role;
  return hash_of(std::span<const char>(hashes));
}

}  // namespace limbic::emotion
