#pragma once
#include <optional>

#include "limbic/network/predictor.h"
#include "limbic/nn/loss.h"
#include "limbic/train/auxiliary.h"
#include "limbic/train/look.h"
#include "limbic/train/optimiser.h"
#include "limbic/train/schedule.h"

namespace limbic::train {

struct EpochResult {
  int64_t epoch = 0;  ///< From 1.
  double train_loss = 0, train_accuracy = 0;
  double validation_loss = 0, validation_accuracy = 0;  ///< 0 without a validation set.
  double learning_rate = 0;                             ///< Of its last step.
  double seconds = 0;
};

struct TrainOptions {
  int64_t epochs = 10;
  int64_t batch_size = 64;
  /// Pictures computed at once; gradients of a batch's micro-batches are added up, batch norm sees
  /// each micro-batch alone, so it decides what is learnt. The largest divisor of the batch up to
  /// this; 0: the largest whose activations take at most `memory_bytes`.
  int64_t micro_batch = 0;
  int64_t memory_bytes = int64_t{4} << 30;  ///< The same on every machine, free or not.
  double learning_rate = 0.001;
  SgdOptions sgd;
  std::optional<AdamOptions> adam;  ///< In place of sgd.
  Schedule schedule;
  CrossEntropyOptions loss;
  /// A second loss, on logits behind the classes'; validation and accuracy leave it out.
  AuxiliaryLoss auxiliary;
  /// Class weights by the inverse of each class's usable training pictures, in place of loss's.
  bool balance_classes = false;
  std::vector<std::string> frozen;  ///< Name prefixes.
  std::string frozen_until;         ///< And all layers up to this label or layer; empty: none.
  /// Where the frozen layers are the network's first: the type in which what they give is kept on
  /// disk, in out/cache, and computed once (frozen_prefix.h). Empty: computed anew in each step.
  std::optional<DType> cache_dtype;
  int64_t cache_views = 2;  ///< Of each training picture, where there is an augmentation.
  /// bf16: activations and products in bf16; weights, statistics and updates stay f32.
  DType dtype = DType::f32;
  int64_t patience = 0;  ///< Stop after so many epochs without a better validation; 0: never.
  /// An epoch's last batch is smaller where the pictures do not fill it; else it is left out.
  bool keep_last_batch = false;
  /// The processes that train together, which may be on other machines; null: this one alone. Each
  /// computes its share of every batch. Rank 0 alone writes checkpoints into its `out`.
  Communicator* communicator = nullptr;
  /// Batch norm normalises with the whole batch's statistics, not each process's share's.
  bool sync_batch_norm = false;
  ExchangeOptions exchange;
  uint64_t seed = 0;
  std::string out;                    ///< Run folder; empty: nothing is written.
  int64_t checkpoint_interval = 200;  ///< Steps; one is written at each epoch's end too.
  /// Go on from out/weights/last.safetensors where it is. A schedule that does not depend on the
  /// number of epochs may go on to more of them.
  bool resume = false;
  /// Takes what is worth telling when it is known; empty: TrainResult::notes does.
  std::function<void(const std::string&)> note;
  /// Called with all epochs so far when one has been finished; may be empty.
  std::function<void(const std::vector<EpochResult>&)> after_epoch;
  /// Called with the number of steps done and the loss of the last one's pictures; may be empty.
  std::function<void(int64_t step, double loss)> after_step;
  /// Called with all looks into the network (look.h) so far, those since the run was resumed, when
  /// there is a new one: some forty in a training, of up to 16 pictures each. May be empty.
  std::function<void(const std::vector<Look>&)> after_look;
};

struct TrainResult {
  std::vector<EpochResult> epochs;
  int64_t best_epoch = 0;    ///< With the highest validation accuracy (the last without one).
  int64_t resumed_step = 0;  ///< 0: started afresh.
  std::vector<io::SkippedSample> skipped;
  std::vector<std::string> notes;  ///< Things worth telling, a sentence each.
};

struct TrainData {
  io::Dataset train, validation;  ///< validation may be empty.
  io::Preset preset;
  std::optional<io::Augmentation> augmentation;
};

/// Seconds that a step of training takes here for each picture of it, measured on noise: the best
/// of two after one that warms up. What reading and decoding take is not in it.
double measure_step(const models::Model& model, const Parameters& parameters,
                    const io::Preset& preset, const TrainOptions& options);

/// Trains `parameters` in place; they end as the best epoch's (the last's without validation), and
/// stay as they were where it throws. Every picture is read once beforehand: batches, steps and the
/// schedule follow from those that can be used. Equal options, data, threads and processor give
/// equal bits, however often the training was killed and resumed. With options.out, writes
/// weights/{last,best}.safetensors and results.csv there. Throws Error, naming epoch and step,
/// where the loss, a weight or what the network gives stops being finite (the last good checkpoint
/// stays), and where a resumed run was made with other options, weights or pictures.
TrainResult train(const models::Model& model, Parameters& parameters, const TrainData& data,
                  const TrainOptions& options, const ProgressFunction& progress = {});

}  // namespace limbic::train
