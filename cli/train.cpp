#include <cstdio>
#include <filesystem>

#include "cli/network.h"
#include "cli/training_options.h"
#include "cli/verbs.h"
#include "limbic/core/file.h"
#include "limbic/train/checkpoint.h"

namespace limbic::cli {
namespace {

struct Options {
  NetworkOptions network;
  TrainingOptions training;
  std::string data, validation, out;
  bool no_validation = false;
};

void print_epochs(const Common& common, const train::TrainResult& result, bool validated) {
  for (const train::EpochResult& e : result.epochs) {
    if (common.json()) {
      print_json(
          {{"epoch", e.epoch},
           {"train_loss", e.train_loss},
           {"train_accuracy", e.train_accuracy},
           {"validation_loss", validated ? nlohmann::json(e.validation_loss) : nullptr},
           {"validation_accuracy", validated ? nlohmann::json(e.validation_accuracy) : nullptr},
           {"learning_rate", e.learning_rate},
           {"seconds", e.seconds},
           {"best", e.epoch == result.best_epoch}});
      continue;
    }
    std::printf("epoch %3ld  train loss %.4f acc %s", e.epoch, e.train_loss,
                percent(e.train_accuracy).c_str());
    if (validated)
      std::printf("   validation loss %.4f acc %s", e.validation_loss,
                  percent(e.validation_accuracy).c_str());
    std::printf("  %.1f s%s\n", e.seconds, e.epoch == result.best_epoch ? "  *" : "");
  }
}

int run(const Common& common, Options& o) {
  train::TrainData data;
  const io::Dataset all = io::list_folders(o.data);
  note_left_out(common, all);
  data.train = all;
  if (!o.validation.empty()) {
    data.validation = io::list_folders(o.validation, data.train.classes);
  } else if (!o.no_validation) {
    io::Split parts = io::split(data.train, 0.85, common.seed);
    data.train = std::move(parts.train);
    data.validation = std::move(parts.held_out);
    note(common, str_cat("validating on ", data.validation.size(),
                         " of the pictures (15 %), training on ", data.train.size()));
  }
  network::Network network = load_network(common, o.network, data.train.classes);
  data.preset = network.preset;
  data.augmentation = o.training.augmentation();
  const train::TrainOptions options = o.training.to_train_options(common, o.out);
  const train::TrainResult result =
      train::train(network.model, network.parameters, data, options, progress_bar(common));
  if (result.resumed_step > 0) note(common, str_cat("resumed at step ", result.resumed_step));
  for (const auto& text : result.notes) note(common, text);
  train::save_weights(o.out + "/weights/final.safetensors", network.parameters,
                      train::description(network.model, data));
  print_epochs(common, result, data.validation.size() > 0);
  note(common, str_cat("best epoch: ", result.best_epoch, "; its weights are in ", o.out,
                       "/weights/final.safetensors"));
  return report_skipped(result.skipped, all);
}

}  // namespace

void add_train(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb =
      add_verb(app, action, "train", "Trains one CNN, from scratch or from weights.",
               "limbic train --data photos/train --val photos/val --model resnet20 --lr 0.1 "
               "--schedule one-cycle --augment cifar --out run",
               o, run, common);
  verb.add_option("--data", o->data, "folder with one sub-folder a class").required();
  verb.add_option("--val", o->validation,
                  "folder to validate on (default: 15 % of the training pictures)");
  verb.add_flag("--no-val", o->no_validation, "train on everything, validate on nothing");
  verb.add_option("--out", o->out, "folder for weights and results").required();
  o->network.add_to(verb, false);
  o->training.add_to(verb);
}

}  // namespace limbic::cli
