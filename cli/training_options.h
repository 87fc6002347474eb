#pragma once
#include "limbic/cli/arguments.h"
#include "limbic/cli/console.h"
#include "limbic/train/trainer.h"

namespace limbic::cli {

/// The options that train and fit share: how a network is trained.
struct TrainingOptions {
  int64_t epochs = 10, batch_size = 64, micro_batch = 0, patience = 0, checkpoint_interval = 200;
  double learning_rate = 0.001, momentum = 0.9, weight_decay = 1e-4, warmup = 0;
  double label_smoothing = 0;
  bool nesterov = false, class_weights = false, resume = false, force = false;
  std::string optimizer = "sgd", schedule = "constant", augment = "flip", dtype = "f32",
              tune = "off";
  std::vector<std::string> freeze;
  std::string freeze_until, cache_dtype = "bf16";
  int64_t views = 2;
  std::string last_batch = "drop", allreduce = "mpi", gradients = "f32";
  bool sync_batch_norm = false;
  double timeout = 300;
  std::string report;  ///< Of --report: a page, rewritten as the training goes on.

  void add_to(const Verb& app);
  /// Says to the other ranks, where there are any, what these options say of them.
  void configure_ranks() const;
  /// As the trainer wants them, for this run folder.
  train::TrainOptions to_train_options(const Common& common, const std::string& out) const;
  /// "none", "flip", "crop" (random resized crop and flip), "cifar" (padded crop and flip), "full"
  /// (crop, flip and colour).
  std::optional<io::Augmentation> augmentation() const;
};

}  // namespace limbic::cli
