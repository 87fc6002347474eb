#pragma once
#include <memory>

#include "limbic/core/progress.h"
#include "limbic/io/loader.h"
#include "limbic/models/models.h"
#include "limbic/nn/plan.h"

namespace limbic::network {

/// What a network says of a data set, in the data set's order.
struct Outputs {
  Tensor values;                 ///< (N,D), one row for each picture that could be read.
  std::vector<int64_t> labels;   ///< N
  std::vector<int64_t> indices;  ///< N, into Dataset::samples.
};

/// Runs a network over data sets in batches, with one plan.
class Predictor {
 public:
  /// `layer`: a label or node name; (N,C,H,W) activations are flattened to rows.
  Predictor(const models::Model& model, const Parameters& parameters, Shape input,
            const std::string& layer = "logits")
      : Predictor(model, parameters, PlanOptions::inference(std::move(input)), layer) {}
  Predictor(const models::Model& model, const Parameters& parameters, PlanOptions options,
            const std::string& layer = "logits");

  /// One row for each image of (n,3,H,W), any n. Throws Error where a value is not finite: nothing
  /// that is computed from it would mean anything.
  Tensor run(const Tensor& images);
  /// The whole of a loader's data set. Its batches must fit the plan's.
  Outputs run(io::Loader& loader, const std::string& task, const ProgressFunction& progress = {});
  void refresh(const Parameters& parameters) { plan_.refresh(parameters); }
  Plan& plan() { return plan_; }

 private:
  std::string layer_;
  Plan plan_;
};

/// Options of a plan that runs `batch` pictures as `preset` prepares them.
Shape input_shape(int64_t batch, const io::Preset& preset);

struct Evaluation {
  int64_t samples = 0;
  double loss = 0;  ///< Mean cross-entropy, natural logarithm; 0 where only labels are known.
  double accuracy = 0, top5 = 0;                ///< 0-1.
  std::vector<std::vector<int64_t>> confusion;  ///< [true][predicted].
};

/// Scores logits (N,classes) against labels. Throws Error where one is not finite.
Evaluation evaluate_logits(const Tensor& logits, const std::vector<int64_t>& labels);
/// Scores predicted labels.
Evaluation evaluate_labels(const std::vector<int64_t>& predicted,
                           const std::vector<int64_t>& labels, int64_t classes);

/// Index of the largest value of a row; the first of equals.
int64_t argmax(std::span<const float> row);

}  // namespace limbic::network
