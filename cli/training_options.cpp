#include "limbic/cli/training_options.h"

namespace limbic::cli {

void TrainingOptions::add_to(const Verb& app) {
  app.add_option("--epochs", epochs, "passes over the training pictures").check(range(0, 100000));
  app.add_option("--batch-size", batch_size, "pictures a step").check(range(1, 65536));
  app.add_option("--micro-batch", micro_batch,
                 "pictures computed at once, their gradients added up; batch norm sees each "
                 "micro-batch alone (0: the most whose activations take 4 GB)")
      .check(range(0, 65536));
  app.add_option("--optimizer", optimizer, "sgd, adam, or adamw with decoupled weight decay")
      .check(one_of({"sgd", "adam", "adamw"}));
  app.add_option("--lr", learning_rate, "highest learning rate").check(above_zero());
  app.add_option("--momentum", momentum, "of SGD").check(range(0.0, 0.9999));
  app.add_flag("--nesterov", nesterov, "Nesterov's momentum");
  app.add_option("--weight-decay", weight_decay, "L2; of adamw a share of the weight")
      .check(not_negative());
  app.add_option("--schedule", schedule, "constant, step, cosine or one-cycle")
      .check(one_of({"constant", "step", "cosine", "one-cycle"}));
  app.add_option("--warmup", warmup, "share of all steps in which the rate rises from 0")
      .check(range(0.0, 1.0));
  app.add_option("--label-smoothing", label_smoothing, "share of the target spread over classes")
      .check(range(0.0, 0.99));
  app.add_flag("--class-weights", class_weights, "weigh classes by the inverse of their count");
  app.add_option("--augment", augment, "none, flip, crop, cifar or full")
      .check(one_of({"none", "flip", "crop", "cifar", "full"}));
  app.add_option("--freeze", freeze, "layers, or paths that hold layers, that must not change");
  app.add_option("--freeze-until", freeze_until,
                 "a stage or layer: it and all layers before it must not change");
  app.add_option("--cache-dtype", cache_dtype,
                 "where the frozen layers are the network's first, what they give is computed once "
                 "and kept on disk in bf16 or f32; none: computed in every step")
      .check(one_of({"bf16", "f32", "none"}));
  app.add_option(
         "--views", views,
         "fixed augmented views of each picture in that cache (0: the pictures as they are)")
      .check(range(0, 64));
  app.add_option("--last-batch", last_batch,
                 "drop: an epoch's last pictures are left out where they do not fill a batch; keep")
      .check(one_of({"drop", "keep"}));
  if (communicator().size() > 1) {
    app.add_flag("--sync-bn", sync_batch_norm,
                 "batch norm uses the whole batch's statistics, not each rank's share's");
    app.add_option("--allreduce", allreduce,
                   "mpi: the library's own sum; ring: the same bits in every run")
        .check(one_of({"mpi", "ring"}));
    app.add_option("--gradients", gradients, "the type in which gradients travel, f32 or bf16")
        .check(one_of({"f32", "bf16"}));
    app.add_option("--timeout", timeout,
                   "seconds after which a rank that does not answer is named, and all stop")
        .check(above_zero());
  }
  app.add_option("--patience", patience,
                 "stop after so many epochs without a better validation (0: never)")
      .check(range(0, 100000));
  app.add_option("--checkpoint-interval", checkpoint_interval, "steps between checkpoints")
      .check(range(1, 1 << 30));
  app.add_option("--dtype", dtype, "f32, or bf16 on processors that have it")
      .check(one_of({"f32", "bf16"}));
  app.add_option("--tune", tune, "off: training always takes the fixed choice of algorithms")
      .check(one_of({"off"}));
  app.add_flag("--resume", resume,
               "go on with what --out holds; with --schedule constant also to more --epochs");
  app.add_flag("--force", force, "start afresh though --out holds a model or a run");
  app.add_option("--report", report, "also write a page with curves, accuracies and pictures");
}

void TrainingOptions::configure_ranks() const {
  communicator().configure(
      {.timeout = timeout, .ring = allreduce == "ring", .bf16 = gradients == "bf16"});
}

std::optional<io::Augmentation> TrainingOptions::augmentation() const {
  if (augment == "none") return std::nullopt;
  io::Augmentation a;
  a.flip = true;
  if (augment == "crop" || augment == "full") {
    a.random_resized_crop = true;
    a.min_scale = 0.35;
  }
  if (augment == "cifar") {
    a.random_crop = true;
    a.padding = 4;
  }
  if (augment == "full") a.brightness = a.contrast = a.saturation = 0.3;
  return a;
}

train::TrainOptions TrainingOptions::to_train_options(const Common& common,
                                                      const std::string& out) const {
  train::TrainOptions o;
  o.epochs = epochs;
  o.batch_size = batch_size;
  o.micro_batch = micro_batch;
  o.learning_rate = learning_rate;
  o.dtype = dtype == "bf16" ? DType::bf16 : DType::f32;
  o.sgd = {.momentum = momentum, .nesterov = nesterov, .weight_decay = weight_decay};
  if (optimizer != "sgd")
    o.adam = {.weight_decay = weight_decay, .decoupled = optimizer == "adamw"};
  o.schedule.kind = train::schedule_kind(schedule);
  o.schedule.warmup = warmup;
  o.loss.label_smoothing = label_smoothing;
  o.balance_classes = class_weights;
  o.frozen = freeze;
  o.frozen_until = freeze_until;
  if (cache_dtype != "none") o.cache_dtype = cache_dtype == "f32" ? DType::f32 : DType::bf16;
  o.cache_views = views;
  o.patience = patience;
  o.keep_last_batch = last_batch == "keep";
  o.sync_batch_norm = sync_batch_norm;
  o.communicator = &communicator();
  configure_ranks();
  o.seed = common.seed;
  o.out = out;
  o.checkpoint_interval = checkpoint_interval;
  o.resume = resume;
  o.note = [&common](const std::string& text) { note(common, text); };
  return o;
}

}  // namespace limbic::cli
