#pragma once
#include "limbic/emotion/model.h"
#include "limbic/explain/explain.h"

namespace limbic::explain {

/// What the pipeline made of one picture, whose blocks of features are (1,D) each.
struct Decision {
  emotion::Prediction prediction;
  /// A block of the fused vector and what it did for a class: how far the class's mean decision
  /// value over its pairs falls when the block becomes its training mean (of a scaler that does not
  /// centre: the support vectors' mean).
  struct Contribution {
    std::string role;
    int64_t width = 0;
    double drop = 0;
  };
  std::vector<Contribution> contributions;
  double decision = 0;  ///< That mean decision value.
  /// The support vectors nearest in the fused space, the nearest first.
  struct Neighbour {
    int64_t index = 0;  ///< Training row, from 0; the support vector's own where that is unknown.
    int64_t support_vector = 0;
    int64_t label = 0;
    double distance = 0;
  };
  std::vector<Neighbour> neighbours;
};
/// Throws Error where blocks or class are not the model's.
Decision explain_decision(const emotion::EmotionModel& model, const std::vector<Tensor>& blocks,
                          int64_t c, int64_t neighbours = 5);

/// How branch b's network leads to the emotions: through its own classifier, where it has one of
/// the model's emotions; else through the dense softmax layer's weights of its block, the other
/// blocks standing as they are.
struct BranchHead {
  Head head;
  bool own_classifier = false;
};
BranchHead head_of(const emotion::EmotionModel& model, size_t b, const std::vector<Tensor>& blocks);

}  // namespace limbic::explain
