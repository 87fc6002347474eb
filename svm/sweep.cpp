#include "limbic/svm/sweep.h"

#include <algorithm>
#include <cmath>

#include "limbic/svm/block_distances.h"

namespace limbic::svm {
namespace {

// alpha C'/C stays feasible, and close to the optimum for C' where most of it is at its bounds.
void rescale(FoldAlphas& alphas, double factor) {
  for (auto& of_fold : alphas)
    for (auto& of_pair : of_fold)
      for (double& alpha : of_pair) alpha *= factor;
}

// Blocks weighted and put side by side.
Tensor weighted(std::span<const Tensor> blocks, std::span<const double> weights) {
  const int64_t n = blocks[0].dim(0);
  int64_t width = 0, at = 0;
  for (const Tensor& block : blocks) width += block.dim(1);
  Tensor out = Tensor::uninitialised({n, width});
  for (size_t b = 0; b < blocks.size(); ++b) {
    const int64_t own = blocks[b].dim(1);
    const double weight = weights[b];
    parallel_for(n, [&](int64_t i) {
      const float* from = blocks[b].data() + i * own;
      float* to = out.data() + i * width + at;
      for (int64_t j = 0; j < own; ++j) to[j] = static_cast<float>(weight * double{from[j]});
    });
    at += own;
  }
  return out;
}

// The largest factor of a block's distances in any kernel.
double largest_gamma(const SweepOptions& options) {
  double largest = 0;
  for (const SweepKernel& kernel : options.kernels)
    for (double weight : kernel.weights)
      largest = std::max(largest, kernel.gamma * weight * weight);
  return largest;
}

void check(std::span<const Tensor> blocks, std::span<const int> labels,
           const SweepOptions& options) {
  require(!blocks.empty(), "SVM sweep: expected one block of features at least");
  for (const Tensor& block : blocks) check_training(block, labels, options.svc);
  check_fold_numbers(options.fold, std::ssize(labels));
  require(std::any_of(options.fold.begin(), options.fold.end(), [](int f) { return f >= 0; }),
          "SVM sweep: no row is held out");
  for (double C : options.C)
    require(C > 0 && std::isfinite(C), "SVM: expected C > 0 and finite, got ", C);
  for (const SweepKernel& kernel : options.kernels) {
    require(kernel.gamma > 0 && std::isfinite(kernel.gamma),
            "SVM: expected gamma > 0 and finite, got ", kernel.gamma);
    require(kernel.weights.size() == blocks.size(), "SVM sweep: ", blocks.size(), " blocks but ",
            kernel.weights.size(), " weights");
    for (double weight : kernel.weights)
      require(std::isfinite(weight), "SVM sweep: expected finite weights, got ", weight);
  }
}

class Sweep {
 public:
  Sweep(std::span<const Tensor> blocks, std::span<const int> labels, const SweepOptions& options)
      : blocks_(blocks), options_(options), samples_(sort_by_class(labels)) {
    for (int64_t row : samples_.order) fold_.push_back(options.fold[static_cast<size_t>(row)]);
    cell_.predicted.assign(labels.begin(), labels.end());
    for (size_t row = 0; row < labels.size(); ++row)
      if (options.fold[row] >= 0) cell_.predicted[row] = no_label;
  }

  // A path along C.
  void run(size_t kernel, std::span<const double> Cs,
           const std::function<void(const SweepCell&)>& done) {
    const auto last_unknown =
        std::find_if(Cs.rbegin(), Cs.rend(), [&](double C) { return !options_.known(kernel, C); });
    if (last_unknown == Cs.rend()) return;
    const TrainingKernel values = kernel_of(options_.kernels[kernel]);
    FoldAlphas alphas;
    SvcOptions svc = options_.svc;
    cell_.kernel = kernel;
    for (double C : Cs.first(static_cast<size_t>(Cs.rend() - last_unknown))) {
      rescale(alphas, C / svc.C);
      cell_.C = svc.C = C;
      predict_held_out(values, svc, alphas);
      if (!options_.known(kernel, C)) done(cell_);
    }
  }

 private:
  TrainingKernel kernel_of(const SweepKernel& kernel) {
    const int64_t budget = options_.svc.budget_bytes;
    if (distances_ ||
        BlockDistances::bytes(std::ssize(fold_), std::ssize(blocks_)) <= affordable(budget)) {
      if (!distances_)
        distances_.emplace(
            blocks_,
            BlockDistances::Options{.gamma = largest_gamma(options_), .budget_bytes = budget},
            samples_.order);
      return TrainingKernel(distances_->rbf(kernel.weights, kernel.gamma));
    }
    return {weighted(blocks_, kernel.weights),
            {.gamma = kernel.gamma, .budget_bytes = budget},
            samples_.order};
  }

  void predict_held_out(const TrainingKernel& kernel, const SvcOptions& svc, FoldAlphas& alphas) {
    cell_.converged = true;
    cell_.iterations = 0;
    for_each_fold(
        kernel, samples_.classes, svc, fold_,
        [&](const HeldOut& held_out) {
          const std::vector<int> labels = vote(held_out.model, held_out.decisions);
          for (size_t i = 0; i < labels.size(); ++i) {
            const auto sample = static_cast<size_t>(held_out.samples[i]);
            cell_.predicted[static_cast<size_t>(samples_.order[sample])] = labels[i];
          }
          cell_.converged = cell_.converged && held_out.model.converged();
          for (const PairReport& pair : held_out.model.pairs) cell_.iterations += pair.iterations;
        },
        &alphas);
  }

  std::span<const Tensor> blocks_;
  const SweepOptions& options_;
  SortedSamples samples_;
  std::vector<int> fold_;                    // of the sorted samples
  std::optional<BlockDistances> distances_;  // once they are needed
  SweepCell cell_;
};

}  // namespace

void sweep(std::span<const Tensor> blocks, std::span<const int> labels, const SweepOptions& options,
           const std::function<void(const SweepCell&)>& done) {
  check(blocks, labels, options);
  std::vector<double> Cs = options.C;
  std::sort(Cs.begin(), Cs.end());
  Sweep sweep(blocks, labels, options);
  for (size_t kernel = 0; kernel < options.kernels.size(); ++kernel) sweep.run(kernel, Cs, done);
}

}  // namespace limbic::svm
