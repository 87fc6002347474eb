#pragma once
#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "limbic/models/models.h"
#include "limbic/nn/plan.h"
#include "limbic/train/auxiliary.h"

namespace limbic::train {

/// How many values of a tensor are of which sign and size. Bins are powers of two, so that weights
/// of 0.5 and gradients of 1e-9 are seen on one axis.
struct Histogram {
  static constexpr int least = -40, bins = 56;  ///< |x| in [2^(least+i), 2^(least+i+1)).
  std::array<int64_t, bins> negative{},
      positive{};  ///< Smaller ones are in bin 0, larger in the last.
  int64_t zeros = 0, not_finite = 0, count = 0;
  double mean = 0, deviation = 0;  ///< Of the finite ones.
};
Histogram histogram_of(std::span<const float> values);

/// A layer at a step: of a convolution or linear layer its weights and their gradient, of every
/// layer that is listed what it gives.
struct LayerLook {
  std::string name, type;
  bool has_weights = false;
  Histogram weights, gradients, output;
  /// Of a ReLU, plain or capped: its channels, and those that gave 0 everywhere in all pictures.
  int64_t channels = 0, dead = 0;
};
struct Look {
  int64_t step = 0;               ///< Steps done.
  std::vector<LayerLook> layers;  ///< Convolutions, linear layers and activations, in order.
};

/// Looks into a network between two steps of its training, with a plan of its own: training
/// computes the same bits whether it is looked at or not.
class Looker {
 public:
  /// `input`: (N,C,H,W), the pictures that a look takes; `frozen` as in PlanOptions.
  Looker(const Graph& graph, const Parameters& parameters, const Shape& input,
         std::vector<std::string> frozen, CrossEntropyOptions loss, AuxiliaryLoss auxiliary);

  /// Forward and backward on the first N of the images (n,C,H,W), n >= N, with the batch's
  /// statistics and without dropout.
  Look look(int64_t step, const Parameters& parameters, const Tensor& images,
            std::span<const int64_t> labels);

 private:
  const Graph& graph_;
  CrossEntropyOptions loss_;
  AuxiliaryLoss auxiliary_;
  std::vector<std::string> frozen_;
  std::unique_ptr<Plan> plan_;
};

}  // namespace limbic::train
