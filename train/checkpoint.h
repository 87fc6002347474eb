#pragma once
#include "train/trainer.h"

namespace limbic {

/// Everything that a training needs to go on as if it had never stopped.
struct TrainingState {
  int64_t epoch = 0;     ///< From 0, of the step to come.
  int64_t step = 0;      ///< Steps done.
  int64_t position = 0;  ///< Of the sampler in this epoch.
  int64_t micro_batch = 0;
  double loss_sum = 0;  ///< Of this epoch's pictures so far.
  int64_t correct = 0, seen = 0;
  double best_accuracy = -1, best_loss = 0;
  int64_t best_epoch = 0;
  std::vector<EpochResult> epochs;
  std::string settings;         ///< What must be equal for a resumed run, as JSON.
  std::string implementations;  ///< Threads, and what computed each convolution.
};

/// Weights under their names, velocities under "momentum/<name>", the state as JSON in the
/// metadata. Atomic.
void save_checkpoint(const std::string& path, const TrainingState& state,
                     const Parameters& parameters, const std::map<std::string, Tensor>& momentum,
                     std::map<std::string, std::string> metadata = {});

struct LoadedCheckpoint {
  TrainingState state;
  std::map<std::string, Tensor> momentum;
};
/// Reads it back, the weights into `parameters`; throws Error naming what does not fit.
LoadedCheckpoint load_checkpoint(const std::string& path, Parameters& parameters);

/// Weights alone, under their names, and what `extras` adds (a stored case).
void save_weights(const std::string& path, const Parameters& parameters,
                  const std::map<std::string, std::string>& metadata,
                  const std::map<std::string, Tensor>& extras = {});

/// What a file of weights says of itself: architecture, preset, classes.
std::map<std::string, std::string> description(const Model& model, const TrainData& data);

/// The options that decide a training's bits, as JSON: a checkpoint is resumed only under equal
/// ones.
std::string settings_of(const Model& model, const TrainData& data, const TrainOptions& options);

}  // namespace limbic
