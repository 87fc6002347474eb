#pragma once
#include "limbic/train/trainer.h"

namespace limbic::train {

/// Everything that a training needs to go on as if it had never stopped.
struct TrainingState {
  int64_t epoch = 0;     ///< From 0, of the step to come.
  int64_t step = 0;      ///< Steps done.
  int64_t position = 0;  ///< Of the sampler in this epoch.
  int64_t micro_batch = 0;
  double loss_sum = 0;  ///< Of this epoch's pictures so far.
  int64_t correct = 0, seen = 0;
  int64_t best_epoch = 0;  ///< 0: there is no best.safetensors yet.
  std::vector<EpochResult> epochs;
  std::string settings;         ///< What must be equal for a resumed run, as JSON.
  std::string implementations;  ///< Threads, and what computed each convolution.
};

/// Weights under their names, Optimiser::state() under "momentum/", the state as JSON in the
/// metadata. Atomic. Throws Error where a weight is not finite: the file before it stays.
void save_checkpoint(const std::string& path, const TrainingState& state,
                     const Parameters& parameters, const std::map<std::string, Tensor>& momentum,
                     std::map<std::string, std::string> metadata = {});

struct LoadedCheckpoint {
  TrainingState state;
  std::map<std::string, Tensor> momentum;
};
/// Reads it back, the weights into `parameters`; throws Error naming what does not fit. `settings`,
/// if not empty, are those that the checkpoint must have been made with; the Error names the ones
/// that differ.
LoadedCheckpoint load_checkpoint(const std::string& path, Parameters& parameters,
                                 const std::string& settings = "");

/// What differs between two settings: "learning_rate was 0.05 and is 0.01; seed was 0 and is 5".
std::string differences(const std::string& stored, const std::string& wanted,
                        const char* was_word = " was ", const char* is_word = " and is ");

/// The epoch whose weights a run's best.safetensors holds. The file says it itself, so that it
/// agrees with its tensors wherever the run was killed.
struct BestEpoch {
  int64_t epoch = 0;  ///< From 1; 0: none yet.
  double accuracy = -1, loss = 0;
};
/// Weights alone, with the epoch and the settings of the run.
void save_best(const std::string& path, const TrainingState& state, const BestEpoch& best,
               const Parameters& parameters, std::map<std::string, std::string> metadata);
/// Reads it back, the weights into `parameters`. Throws Error where the file is missing or of
/// another run.
BestEpoch load_best(const std::string& path, const TrainingState& state, Parameters& parameters);

/// Sets all of `to` from the parameters of the same names.
void copy_values(const Parameters& from, Parameters& to);

/// Weights alone, under their names, and what `extras` adds (a stored case). Throws Error where one
/// is not finite.
void save_weights(const std::string& path, const Parameters& parameters,
                  const std::map<std::string, std::string>& metadata,
                  const std::map<std::string, Tensor>& extras = {});

/// What a file of weights says of itself: architecture, preset, classes.
std::map<std::string, std::string> description(const models::Model& model, const TrainData& data);

/// What a training starts from.
struct StartingPoint {
  std::string weights;               ///< SHA-256 of names and values (sha256_of).
  std::string training, validation;  ///< Of the pictures (Loader::keep_usable).
};
/// SHA-256 of names and bytes of all parameters.
std::string sha256_of(const Parameters& parameters);

/// What of a training's options decides its bits, as JSON.
std::string settings_of(const TrainOptions& options,
                        const std::optional<io::Augmentation>& augmentation);
/// All that decides a training's bits, as JSON: a checkpoint is resumed only under equal ones.
std::string settings_of(const models::Model& model, const TrainData& data,
                        const TrainOptions& options, const StartingPoint& start);

}  // namespace limbic::train
