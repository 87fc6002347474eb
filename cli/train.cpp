#include <cstdio>
#include <filesystem>

#include "limbic/cli/data_options.h"
#include "limbic/cli/network.h"
#include "limbic/cli/output.h"
#include "limbic/cli/pages.h"
#include "limbic/cli/training_options.h"
#include "limbic/cli/verbs.h"
#include "limbic/core/file.h"
#include "limbic/report/layer_looks.h"
#include "limbic/report/training_charts.h"
#include "limbic/train/checkpoint.h"

namespace limbic::cli {
namespace {

struct Options {
  NetworkOptions network;
  TrainingOptions training;
  DataOptions data;
  std::string out;
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
  o.training.configure_ranks();
  DataParts parts = o.data.open(common);
  const io::Dataset all = parts.train;
  train::TrainData data;
  data.train = std::move(parts.train);
  if (parts.test) note(common, "train uses no test photos; limbic validate measures on them");
  if (o.no_validation) {
    if (parts.validation) note(common, "--no-val: the validation photos are not used");
  } else if (parts.validation) {
    data.validation = std::move(*parts.validation);
  } else {
    io::Split split = io::split(data.train, 0.85, common.seed);
    data.train = std::move(split.train);
    data.validation = std::move(split.held_out);
    note(common, str_cat("validating on ", data.validation.size(),
                         " of the pictures (15 %), training on ", data.train.size()));
  }
  const bool leads = communicator().leads();
  Page page(leads ? o.training.report : "", "A network learns " + o.data.data);
  const OutputFolder folder(o.out, o.training.resume, o.training.force);
  when_interrupted("the same command with --resume goes on from the last checkpoint");
  network::Network network = load_network(common, o.network, data.train.classes);
  data.preset = network.preset;
  data.augmentation = o.training.augmentation();
  train::TrainOptions options = o.training.to_train_options(common, folder.path());
  const auto draw = [&](const std::vector<train::EpochResult>& epochs, bool going_on) {
    page.set_notes(
        {str_cat(epochs.size(), " of ", options.epochs, " epochs, learnt from ", data.train.size(),
                 " pictures, validated on ", data.validation.size(), ".")});
    page.set_charts(report::training_charts({{network.model.name, epochs}}));
    page.write(going_on);
  };
  std::vector<train::EpochResult> so_far;
  options.after_epoch = [&](const std::vector<train::EpochResult>& epochs) {
    so_far = epochs;
    draw(so_far, true);
  };
  if (page.wanted())
    options.after_look = [&](const std::vector<train::Look>& looks) {
      page.set_details(report::look_sections(looks));
      draw(so_far, true);
    };
  const train::TrainResult result =
      train::train(network.model, network.parameters, data, options, progress_bar(common));
  if (result.resumed_step > 0) note(common, str_cat("resumed at step ", result.resumed_step));
  for (const auto& text : result.notes) note(common, text);
  train::save_weights(folder.path() + "/weights/final.safetensors", network.parameters,
                      train::description(network.model, data));
  if (!leads) return done;
  print_epochs(common, result, data.validation.size() > 0);
  if (page.wanted() && data.validation.size() > 0) {
    const int64_t batch = std::min<int64_t>(32, data.validation.size());
    io::Loader loader(data.validation, data.preset, std::nullopt,
                      {.batch_size = batch, .cache_bytes = 0});
    network::Predictor predictor(network.model, network.parameters,
                                 network::input_shape(batch, data.preset));
    add_network(page, data.validation, predictor.run(loader, "validating"));
  }
  draw(result.epochs, false);
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
  o->data.add_to(verb);
  verb.add_option("--val", o->data.validation,
                  "labelled photos to validate on (default: 15 % of the training pictures)");
  verb.add_flag("--no-val", o->no_validation, "train on everything, validate on nothing");
  verb.add_option("--out", o->out, "folder for weights and results").required();
  o->network.add_to(verb, false);
  verb.add_option(
      "--fresh", o->network.fresh,
      "layers, or paths that hold layers, that the weights may lack: they start afresh");
  o->training.add_to(verb);
}

}  // namespace limbic::cli
