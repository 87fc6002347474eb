#include "limbic/train/trainer.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "limbic/nn/compile/program.h"
#include "limbic/train/checkpoint.h"
#include "limbic/weights/safetensors.h"
#include "tests/train/patterns.h"

using namespace limbic;
using namespace limbic::io;
using namespace limbic::models;
using namespace limbic::network;
using namespace limbic::train;
using namespace limbic::weights;
using namespace limbic::testing;
namespace fs = std::filesystem;

TEST_CASE("trainer: it learns, writes its results, and the same seed gives the same bits") {
  const Pictures p;
  const Model model = build_model("resnet8", 3);
  TrainOptions o = quick(8);
  o.schedule.kind = Schedule::Kind::one_cycle;
  o.out = p.folder / "run";
  Parameters first = model.graph.initialise(1);
  const TrainResult result = train::train(model, first, p.data, o);
  REQUIRE(result.epochs.size() == 8);
  CHECK(result.resumed_step == 0);
  CHECK(result.skipped.empty());
  CHECK(result.epochs.back().train_loss < 0.5 * result.epochs.front().train_loss);
  const EpochResult& best = result.epochs.at(static_cast<size_t>(result.best_epoch - 1));
  CHECK(best.validation_accuracy >= 0.9);
  for (const EpochResult& e : result.epochs)
    CHECK(e.validation_accuracy <= best.validation_accuracy);
  for (const char* file : {"results.csv", "weights/best.safetensors", "weights/last.safetensors"})
    CHECK(fs::exists(o.out + "/" + file));
  // What `train` hands back is the best epoch's network.
  Loader loader(p.data.validation, p.data.preset, std::nullopt, {.batch_size = 5});
  Predictor predictor(model, first, input_shape(5, p.data.preset));
  const Outputs out = predictor.run(loader, "validating");
  CHECK(evaluate_logits(out.values, out.labels).accuracy ==
        doctest::Approx(best.validation_accuracy));

  o.out.clear();
  Parameters again = model.graph.initialise(1);
  train::train(model, again, p.data, o);
  CHECK(first_difference(first, again) == "");
  o.seed = 1;
  Parameters other = model.graph.initialise(1);
  train::train(model, other, p.data, o);
  CHECK(first_difference(first, other) != "");
}

TEST_CASE("trainer: killed and resumed it ends with the same bytes") {
  Pictures p;
  p.data.augmentation = Augmentation{.random_crop = true, .padding = 2, .flip = true};
  p.data.augmentation->brightness = 0.2;
  const Model model = build_model("densenet_small", 3);  // with dropout
  TrainOptions o = quick(2);
  o.sgd = {.momentum = 0.9, .nesterov = true, .weight_decay = 1e-4};
  o.schedule.kind = Schedule::Kind::one_cycle;
  o.checkpoint_interval = 2;
  o.out = p.folder / "undisturbed";
  Parameters undisturbed = model.graph.initialise(1);
  train::train(model, undisturbed, p.data, o);

  // 36 pictures make 6 steps and one closing report an epoch. Report 4 comes before the checkpoint
  // of step 4 is written, report 7 before the epoch's; report 12 is step 11's.
  const std::vector<std::pair<int64_t, int64_t>> kills = {{3, 2}, {4, 2}, {7, 6}, {12, 10}};
  for (const auto& kill : kills) {
    const int64_t report = kill.first, resumed_step = kill.second;
    CAPTURE(report);
    o.out = p.folder / ("killed" + std::to_string(report));
    o.resume = false;
    Parameters parameters = model.graph.initialise(1);
    CHECK_THROWS_AS(train::train(model, parameters, p.data, o, kill_at(report)), Killed);
    CHECK(fs::exists(o.out + "/results.csv") == (report > 7));  // the epochs that ended
    o.resume = true;
    Parameters fresh = model.graph.initialise(1);
    const TrainResult result = train::train(model, fresh, p.data, o);
    CHECK(result.resumed_step == resumed_step);
    const int64_t steps_done = report > 7 ? report - 1 : std::min<int64_t>(report, 6);
    CHECK(steps_done - result.resumed_step <= o.checkpoint_interval);
    CHECK(first_difference(fresh, undisturbed) == "");
    for (const char* file : {"/weights/last.safetensors", "/weights/best.safetensors"})
      CHECK(first_difference(o.out + file, p.folder / "undisturbed" + file) == "");
    CHECK(read_file(o.out + "/weights/best.safetensors") ==
          read_file(p.folder / "undisturbed/weights/best.safetensors"));
    CHECK(result.notes == std::vector<std::string>{"micro-batch: 6 of a batch of 6"});
  }
}

TEST_CASE("trainer: with Adam, too, a killed run that is resumed ends with the same bytes") {
  Pictures p;
  const Model model = build_model("resnet8", 3);
  TrainOptions o = quick(2);
  o.learning_rate = 0.01;
  o.adam = {.weight_decay = 0.01, .decoupled = true};
  o.checkpoint_interval = 2;
  o.out = p.folder / "undisturbed";
  Parameters undisturbed = model.graph.initialise(1);
  train::train(model, undisturbed, p.data, o);
  o.out = p.folder / "killed";
  Parameters parameters = model.graph.initialise(1);
  CHECK_THROWS_AS(train::train(model, parameters, p.data, o, kill_at(10)), Killed);
  o.resume = true;
  parameters = model.graph.initialise(1);
  CHECK(train::train(model, parameters, p.data, o).resumed_step == 8);
  CHECK(first_difference(parameters, undisturbed) == "");
  CHECK(first_difference(o.out + "/weights/last.safetensors",
                         p.folder / "undisturbed/weights/last.safetensors") == "");
  o.adam.reset();
  CHECK(error_of([&] { train::train(model, parameters, p.data, o); }).find("adam was [") !=
        std::string::npos);
}

TEST_CASE("trainer: killed between best and last, the next run goes on from the best there is") {
  Pictures p;
  const Model model = build_model("resnet8", 3);
  TrainOptions o = quick(3);
  const auto run = [&](const std::string& out, const ProgressFunction& progress) {
    o.out = p.folder / out;
    Parameters parameters = model.graph.initialise(1);
    const TrainResult result = train::train(model, parameters, p.data, o, progress);
    return std::pair{result, parameters.clone()};
  };
  const auto [undisturbed, weights] = run("undisturbed", {});
  // 6 steps and a closing report an epoch; the closing one comes behind best and before last.
  o.resume = true;
  for (const int64_t report : {7, 14, 21}) {
    CAPTURE(report);
    const std::string out = str_cat("between", report);
    CHECK_THROWS_AS(run(out, kill_at(report)), Killed);
    const auto [result, resumed] = run(out, {});
    CHECK(result.best_epoch == undisturbed.best_epoch);
    CHECK(first_difference(resumed, weights) == "");
    CHECK(read_file(o.out + "/weights/best.safetensors") ==
          read_file(p.folder / "undisturbed/weights/best.safetensors"));
  }
  // best.safetensors of another run beside this one's last is a mixture.
  o.seed = 5;
  o.resume = false;
  run("other", {});
  o.seed = 0;
  o.resume = true;
  fs::copy_file(p.folder / "other/weights/best.safetensors",
                p.folder / "undisturbed/weights/best.safetensors",
                fs::copy_options::overwrite_existing);
  const std::string message = error_of([&] { run("undisturbed", {}); });
  CHECK(message.find("best.safetensors") != std::string::npos);
  CHECK(message.find("of another run") != std::string::npos);
}

TEST_CASE("trainer: killed twice, and with micro-batches") {
  Pictures p;
  p.data.augmentation = Augmentation{.flip = true};
  const Model model = build_model("densenet_small", 3);
  TrainOptions o = quick(2);
  o.micro_batch = 2;
  o.checkpoint_interval = 2;
  Parameters undisturbed = model.graph.initialise(1);
  train::train(model, undisturbed, p.data, o);
  o.out = p.folder / "run";
  o.resume = true;  // with nothing to resume it starts afresh
  Parameters parameters = model.graph.initialise(1);
  CHECK_THROWS_AS(train::train(model, parameters, p.data, o, kill_at(5)), Killed);
  CHECK_THROWS_AS(train::train(model, parameters, p.data, o, kill_at(4)), Killed);
  const TrainResult result = train::train(model, parameters, p.data, o);
  CHECK(result.resumed_step == 6);
  CHECK(result.epochs.size() == 2);
  CHECK(first_difference(parameters, undisturbed) == "");
}

TEST_CASE("trainer: resumes a finished run without a change, and refuses other options") {
  const Pictures p;
  const Model model = build_model("resnet8", 3);
  TrainOptions o = quick(1);
  o.out = p.folder / "run";
  Parameters parameters = model.graph.initialise(1);
  train::train(model, parameters, p.data, o);
  const auto last = read_file(o.out + "/weights/last.safetensors");
  const auto best = read_file(o.out + "/weights/best.safetensors");
  const auto results = read_file(o.out + "/results.csv");
  fs::remove(o.out + "/results.csv");  // as a kill behind the last checkpoint leaves it
  o.resume = true;
  Parameters again = model.graph.initialise(1);
  const TrainResult result = train::train(model, again, p.data, o);
  CHECK(read_file(o.out + "/results.csv") == results);
  CHECK(result.resumed_step == 6);
  CHECK(result.epochs.size() == 1);
  CHECK(first_difference(parameters, again) == "");
  CHECK(read_file(o.out + "/weights/last.safetensors") == last);
  CHECK(read_file(o.out + "/weights/best.safetensors") == best);

  struct Changed {
    TrainOptions options;
    TrainData data;
    uint64_t weights = 1;
  };
  // `key` is all that is named.
  const auto refused = [&](const std::string& key, const std::function<void(Changed&)>& change) {
    Changed c{o, p.data};
    change(c);
    again = model.graph.initialise(c.weights);
    const Parameters before = again.clone();
    const std::string message = error_of([&] { train::train(model, again, c.data, c.options); });
    CAPTURE(key);
    CAPTURE(message);
    CHECK(message.find("other options, weights or pictures") != std::string::npos);
    CHECK(message.find(": " + key + " was ") != std::string::npos);
    CHECK(message.find("; ", message.find(key)) == std::string::npos);
    CHECK(message.starts_with(o.out + "/weights/last.safetensors: "));
    CHECK(message.find('\n') == std::string::npos);
    CHECK(first_difference(before, again) == "");  // the caller's stay as they were
  };
  refused("starting_weights", [](Changed& c) { c.weights = 2; });
  refused("learning_rate", [](Changed& c) { c.options.learning_rate = 0.01; });
  refused("epochs", [](Changed& c) { c.options.epochs = 0; });
  refused("batch_size", [](Changed& c) { c.options.batch_size = 12; });
  refused("micro_batch", [](Changed& c) { c.options.micro_batch = 3; });
  refused("memory_bytes", [](Changed& c) { c.options.memory_bytes = 1; });
  refused("seed", [](Changed& c) { c.options.seed = 5; });
  refused("rate_factors", [](Changed& c) { c.options.sgd.rate_factors = {{"linear", 10}}; });
  refused("auxiliary", [](Changed& c) { c.options.auxiliary.group = {0, 1, 1}; });
  refused("momentum", [](Changed& c) { c.options.sgd.momentum = 0.5; });
  refused("nesterov", [](Changed& c) { c.options.sgd.nesterov = true; });
  refused("weight_decay", [](Changed& c) { c.options.sgd.weight_decay = 1e-4; });
  refused("schedule", [](Changed& c) { c.options.schedule.kind = Schedule::Kind::cosine; });
  refused("warmup", [](Changed& c) { c.options.schedule.warmup = 0.5; });
  refused("schedule_shape", [](Changed& c) { c.options.schedule.step_factor = 0.5; });
  refused("frozen", [](Changed& c) { c.options.frozen = {"conv1"}; });
  refused("label_smoothing", [](Changed& c) { c.options.loss.label_smoothing = 0.1; });
  refused("class_weights", [](Changed& c) { c.options.loss.class_weights = {1, 1, 2}; });
  refused("balance_classes", [](Changed& c) { c.options.balance_classes = true; });
  refused("patience", [](Changed& c) { c.options.patience = 3; });
  refused("preset", [](Changed& c) { c.data.preset.mean[1] += 0.1; });
  refused("augmentation", [](Changed& c) { c.data.augmentation = Augmentation{.flip = true}; });
  refused("classes", [](Changed& c) { c.data.train.classes[0] = "athwart"; });
  refused("training_pictures", [](Changed& c) { c.data.train.samples[0].label ^= 1; });
  refused("training_pictures", [](Changed& c) { c.data.train.samples.pop_back(); });
  refused("validation_pictures", [](Changed& c) { c.data.validation.samples.pop_back(); });
  // Names and places of pictures mean nothing, what they show does.
  TrainData moved = p.data;
  const std::string old = moved.train.samples[3].path, renamed = p.folder / "elsewhere.png";
  fs::rename(old, renamed);
  moved.train.samples[3].path = renamed;
  again = model.graph.initialise(1);
  CHECK(train::train(model, again, moved, o).resumed_step == 6);
  const auto bytes = read_file(renamed);
  testing::write_png(renamed, testing::random_picture(16, 16, 7));
  fs::copy_file(renamed, old);
  refused("training_pictures", [](Changed&) {});
  testing::write_bytes(old, bytes);
  CHECK(read_file(o.out + "/weights/last.safetensors") == last);

  testing::write_text(o.out + "/weights/last.safetensors", "no checkpoint");
  CHECK(error_of([&] { train::train(model, again, p.data, o); }) != "");
  fs::copy_file(o.out + "/weights/best.safetensors", o.out + "/weights/last.safetensors",
                fs::copy_options::overwrite_existing);
  CHECK(error_of([&] { train::train(model, again, p.data, o); }).find("no training state") !=
        std::string::npos);
}

TEST_CASE("trainer: a frozen prefix does not change by a bit, running statistics included") {
  const Pictures p;
  const Model model = build_model("resnet8", 3);
  TrainOptions o = quick(2);
  o.frozen = {"conv1", "bn1", "layer1"};
  o.sgd.weight_decay = 0.1;
  const Parameters before = model.graph.initialise(1);
  Parameters after = before.clone();
  train::train(model, after, p.data, o);
  for (const auto& [name, parameter] : before) {
    const auto& label = name;  // clang 14 cannot capture a structured binding
    CAPTURE(label);
    const bool frozen =
        name.starts_with("conv1") || name.starts_with("bn1") || name.starts_with("layer1");
    CHECK(equal_bits(parameter.value, after.at(name).value) == frozen);
  }
}

TEST_CASE("trainer: stops early, and bears that all is frozen") {
  const Pictures p;
  const Model model = build_model("resnet8", 3);
  TrainOptions o = quick(9);
  o.frozen = {""};  // nothing changes, so no epoch is better than the first
  o.patience = 2;
  const Parameters before = model.graph.initialise(1);
  Parameters after = before.clone();
  const TrainResult result = train::train(model, after, p.data, o);
  CHECK(result.epochs.size() == 3);
  CHECK(result.best_epoch == 1);
  CHECK(first_difference(before, after) == "");
}

TEST_CASE("trainer: bad input is an Error") {
  Pictures p(6);
  const Model model = build_model("resnet8", 3);
  Parameters parameters = model.graph.initialise(1);
  TrainOptions o = quick(3);
  std::string message;
  o = quick(1);
  o.batch_size = 0;
  CHECK(error_of([&] { train::train(model, parameters, p.data, o); }) != "");
  o = quick(1);
  o.micro_batch = 4;  // does not divide the batch of 6
  parameters = model.graph.initialise(1);
  CHECK(train::train(model, parameters, p.data, o).notes ==
        std::vector<std::string>{"micro-batch: 3 of a batch of 6, which --micro-batch 4 does not "
                                 "divide"});
  o = quick(1);
  p.data.train.samples[0].label = 7;
  parameters = model.graph.initialise(1);
  CHECK(error_of([&] {
          train::train(model, parameters, p.data, o);
        }).find("label 7 of 3 classes") != std::string::npos);
  p.data.train.samples[0].label = 0;

  // A picture that cannot be read is skipped and named.
  testing::write_text(p.data.train.samples[1].path, "this is text");
  parameters = model.graph.initialise(1);
  const TrainResult result = train::train(model, parameters, p.data, o);
  REQUIRE(result.skipped.size() == 1);
  CHECK(result.skipped[0].path == p.data.train.samples[1].path);
}

TEST_CASE("trainer: the micro-batch follows from memory_bytes, and is told") {
  const Pictures p(8);
  const Model model = build_model("resnet8", 3);
  const auto arena = [&](int64_t batch) {
    const Parameters parameters = model.graph.initialise(1);
    PlanOptions options = PlanOptions::training(input_shape(batch, p.data.preset));
    options.keep_parameter_gradients = false;
    return Program(model.graph, parameters, options).memory().arena.bytes;
  };
  for (const auto& [memory, expected] : std::vector<std::pair<int64_t, int64_t>>{
           {arena(8), 8}, {arena(8) - 1, 4}, {arena(4), 4}, {arena(2), 2}, {1, 1}}) {
    const auto& bytes = memory;  // clang 14 cannot capture a structured binding
    CAPTURE(bytes);
    TrainOptions o = quick(1);
    o.batch_size = 8;
    o.memory_bytes = memory;
    o.out = p.folder / ("run" + std::to_string(memory));
    Parameters parameters = model.graph.initialise(1);
    const TrainResult result = train::train(model, parameters, p.data, o);
    CHECK(load_checkpoint(o.out + "/weights/last.safetensors", parameters).state.micro_batch ==
          expected);
    REQUIRE(result.notes.size() == 1);
    CHECK(result.notes[0].starts_with(str_cat("micro-batch: ", expected, " of a batch of 8")));
  }
}

TEST_CASE("trainer: steps and schedule follow from the pictures that can be used") {
  Pictures p(4);  // 9 to train on
  const Model model = build_model("resnet8", 3);
  TrainOptions o = quick(2);
  o.batch_size = 64;
  o.schedule.kind = Schedule::Kind::cosine;
  testing::write_text(p.data.train.samples[1].path, "this is text");
  Parameters parameters = model.graph.initialise(1);
  const Parameters before = parameters.clone();
  const TrainResult result = train::train(model, parameters, p.data, o);
  CHECK(result.skipped.size() == 1);
  CHECK(result.epochs.at(0).train_loss > 0);
  CHECK(first_difference(before, parameters) != "");
  // Two steps, one an epoch: a whole and half the way down.
  CHECK(result.epochs.at(0).learning_rate == doctest::Approx(0.05));
  CHECK(result.epochs.at(1).learning_rate == doctest::Approx(0.025));
  CHECK(result.notes.at(0) == "batch size 8 for 64: no more pictures can be used");

  // Three of a batch are unusable: the others make the steps, not those that were listed.
  Pictures more(16);  // 36 to train on
  o = quick(4);
  o.schedule.kind = Schedule::Kind::cosine;
  for (size_t i : {0, 7, 20}) testing::write_text(more.data.train.samples[i].path, "text");
  parameters = model.graph.initialise(1);
  const TrainResult five = train::train(model, parameters, more.data, o);  // 33 / 6 steps an epoch
  for (size_t e = 0; e < 4; ++e)
    CHECK(five.epochs[e].learning_rate ==
          doctest::Approx(learning_rate(o.schedule, 0.05, 5 * int64_t(e) + 4, 20)));
  CHECK(five.skipped.size() == 3);

  for (const Sample& sample : p.data.train.samples) testing::write_text(sample.path, "text");
  CHECK(error_of([&] {
          train::train(model, parameters, p.data, o);
        }).starts_with("none of the 9 pictures can be used; the first: "));
}

TEST_CASE("trainer: a resumed run names the pictures that are skipped, one that goes is an error") {
  Pictures p;
  const Model model = build_model("resnet8", 3);
  TrainOptions o = quick(1);
  o.out = p.folder / "run";
  testing::write_text(p.data.train.samples[1].path, "this is text");
  Parameters parameters = model.graph.initialise(1);
  const TrainResult first = train::train(model, parameters, p.data, o);
  REQUIRE(first.skipped.size() == 1);
  o.resume = true;
  parameters = model.graph.initialise(1);
  CHECK(train::train(model, parameters, p.data, o).skipped == first.skipped);
}

TEST_CASE("trainer: numbers that run away end it in one line and leave the last good checkpoint") {
  Pictures p(8);  // 18 to train on
  const Model model = build_model("resnet8", 3);
  for (const bool validated : {true, false})
    for (const int64_t batch_size : {6, 18}) {
      CAPTURE(validated);
      CAPTURE(batch_size);
      TrainData data = p.data;
      if (!validated) data.validation.samples.clear();
      TrainOptions o = quick(1);
      o.batch_size = batch_size;
      o.learning_rate = 1e30;
      o.checkpoint_interval = 1;
      o.out = p.folder / str_cat("away", validated, batch_size);
      Parameters parameters = model.graph.initialise(1);
      const Parameters before = parameters.clone();
      const std::string message = error_of([&] { train::train(model, parameters, data, o); });
      CAPTURE(message);
      CHECK(message.find("at step 1 (epoch 1)") != std::string::npos);
      CHECK(message.find("--lr") != std::string::npos);
      CHECK(message.find('\n') == std::string::npos);
      CHECK(first_difference(before, parameters) == "");
      CHECK_FALSE(fs::exists(o.out + "/weights/last.safetensors"));
      CHECK_FALSE(fs::exists(o.out + "/weights/best.safetensors"));
    }
  // The loss, where the weights come in broken: the layer is named.
  Parameters parameters = model.graph.initialise(1);
  for (float& x : parameters.at("linear.weight").value.values()) x = 3e38f;
  CHECK(error_of([&] { train::train(model, parameters, p.data, quick(1)); }) ==
        "what linear gives became infinite at step 1 (epoch 1); try a lower --lr");
}

TEST_CASE("trainer: class weights and label smoothing reach the loss") {
  Pictures p(8);
  p.data.train.samples.resize(14);  // 6, 6 and 2 of the classes
  const Model model = build_model("resnet8", 3);
  const auto trained = [&](const std::function<void(TrainOptions&)>& change) {
    TrainOptions o = quick(1);
    o.batch_size = 14;
    change(o);
    Parameters parameters = model.graph.initialise(1);
    const TrainResult result = train::train(model, parameters, p.data, o);
    return std::pair{result.epochs.at(0).train_loss, parameters.clone()};
  };
  const auto of = [](double all, double n) { return static_cast<float>(all / 3 / n); };
  const auto [plain, weights] = trained([](TrainOptions&) {});
  const auto [smooth, a] = trained([](TrainOptions& o) { o.loss.label_smoothing = 0.3; });
  const auto [weighted, b] = trained([&](TrainOptions& o) {
    o.loss.class_weights = {of(14.0, 6), of(14.0, 6), of(14.0, 2)};
  });
  const auto [balanced, c] = trained([](TrainOptions& o) { o.balance_classes = true; });
  CHECK(smooth != doctest::Approx(plain).epsilon(1e-6));
  CHECK(weighted != doctest::Approx(plain).epsilon(1e-6));
  CHECK(balanced == weighted);
  CHECK(first_difference(b, c) == "");
  CHECK(first_difference(weights, b) != "");
  // A picture that cannot be used counts in no class.
  testing::write_text(p.data.train.samples[13].path, "text");
  const auto [fewer, d] = trained([](TrainOptions& o) { o.balance_classes = true; });
  const auto [by_hand, e] = trained([&](TrainOptions& o) {
    o.loss.class_weights = {of(13.0, 6), of(13.0, 6), of(13.0, 1)};
  });
  CHECK(fewer == by_hand);
}

TEST_CASE("trainer: SGD's options reach the update") {
  const Pictures p(8);
  const Model model = build_model("resnet8", 3);
  const auto trained = [&](const SgdOptions& sgd) {
    TrainOptions o = quick(1);
    o.sgd = sgd;
    Parameters parameters = model.graph.initialise(1);
    train::train(model, parameters, p.data, o);
    return parameters.clone();
  };
  const std::vector<Parameters> all = {trained({.momentum = 0}), trained({.momentum = 0.9}),
                                       trained({.momentum = 0.9, .nesterov = true}),
                                       trained({.momentum = 0.9, .weight_decay = 0.01})};
  for (size_t i = 0; i < all.size(); ++i)
    for (size_t j = 0; j < i; ++j) CHECK(first_difference(all[i], all[j]) != "");
}

TEST_CASE("trainer: among equal accuracies the lower loss is the best epoch") {
  // One validation picture: accuracy 0 or 1, so that epochs tie.
  Pictures p;
  p.data.validation.samples.resize(1);
  const Model model = build_model("resnet8", 3);
  Parameters parameters = model.graph.initialise(1);
  const TrainResult result = train::train(model, parameters, p.data, quick(6));
  const EpochResult& best = result.epochs.at(static_cast<size_t>(result.best_epoch - 1));
  int ties = 0;
  for (const EpochResult& e : result.epochs) {
    CHECK(e.validation_accuracy <= best.validation_accuracy);
    if (e.epoch == best.epoch || e.validation_accuracy < best.validation_accuracy) continue;
    ++ties;
    CHECK(e.validation_loss > best.validation_loss);
  }
  CHECK(ties > 0);
}

TEST_CASE("trainer: a checkpoint whose state makes no sense is refused") {
  Pictures p(8);
  const Model model = build_model("resnet8", 3);
  TrainOptions o = quick(1);
  o.out = p.folder / "run";
  Parameters parameters = model.graph.initialise(1);
  train::train(model, parameters, p.data, o);
  o.resume = true;
  const std::string last = o.out + "/weights/last.safetensors";
  const SafetensorsFile file = read_safetensors(last);
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, tensor] : file.tensors) tensors[name] = tensor.clone();
  const auto state = nlohmann::json::parse(file.metadata.at("limbic.training_state"));
  const auto refused = [&](const char* key, const nlohmann::json& value) {
    auto changed = state;
    changed[key] = value;
    write_safetensors(last, tensors, {{"limbic.training_state", changed.dump()}});
    parameters = model.graph.initialise(1);
    const std::string message = error_of([&] { train::train(model, parameters, p.data, o); });
    CAPTURE(key);
    CAPTURE(message);
    CHECK(message.starts_with(last + ": "));
    CHECK(message.find("damaged") != std::string::npos);
  };
  refused("micro_batch", 0);
  refused("micro_batch", -2);
  refused("micro_batch", 4);  // of a batch of 6
  refused("step", 2.5);
  refused("loss_sum", nullptr);
  refused("position", -1);
  refused("epochs", 3);
  const auto velocity = [&](Tensor tensor) {
    auto changed = tensors;
    changed["momentum/conv1.weight"] = std::move(tensor);
    write_safetensors(last, changed, {{"limbic.training_state", state.dump()}});
    parameters = model.graph.initialise(1);
    return error_of([&] { train::train(model, parameters, p.data, o); });
  };
  const Shape shape = tensors.at("conv1.weight").shape();
  CHECK(velocity(Tensor(shape, DType::bf16)).find("expected F32") != std::string::npos);
  CHECK(velocity(Tensor(shape, DType::u8)).find("expected F32") != std::string::npos);
  Tensor nan(shape);
  nan.data()[5] = NAN;
  CHECK(velocity(nan).find("NaN") != std::string::npos);
  CHECK(velocity(Tensor(shape)) == "");
}

TEST_CASE("evaluation: metrics by hand") {
  // Six classes; the label's rank is 1, 2, 6, and 1 among equals.
  const Tensor logits = Tensor::of(std::vector<float>{5, 1, 0, 0, 0, 0,  //
                                                      3, 2, 0, 0, 0, 0,  //
                                                      6, 5, 4, 3, 2, 1,  //
                                                      2, 2, 2, 2, 2, 2},
                                   {4, 6});
  const Evaluation e = evaluate_logits(logits, {0, 1, 5, 0});
  CHECK(e.samples == 4);
  CHECK(e.accuracy == doctest::Approx(0.5));
  CHECK(e.top5 == doctest::Approx(0.75));
  const double loss =
      (std::log(std::exp(5) + std::exp(1) + 4) - 5) +
      (std::log(std::exp(3) + std::exp(2) + 4) - 2) +
      (std::log(std::exp(6) + std::exp(5) + std::exp(4) + std::exp(3) + std::exp(2) + std::exp(1)) -
       1) +
      std::log(6);
  CHECK(e.loss == doctest::Approx(loss / 4).epsilon(1e-9));
  CHECK(e.confusion[0] == std::vector<int64_t>{2, 0, 0, 0, 0, 0});
  CHECK(e.confusion[1] == std::vector<int64_t>{1, 0, 0, 0, 0, 0});
  CHECK(e.confusion[5] == std::vector<int64_t>{1, 0, 0, 0, 0, 0});
  CHECK(evaluate_logits(Tensor({0, 6}), {}).samples == 0);
  // The third of twelve classes by value, the fifth and the sixth: 5 are the top.
  Tensor ranks({3, 12});
  for (int64_t i = 0; i < 36; ++i) ranks.data()[i] = static_cast<float>(-(i % 12));
  CHECK(evaluate_logits(ranks, {2, 4, 5}).top5 == doctest::Approx(2.0 / 3));
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    ranks.data()[20] = bad;
    CHECK_THROWS_AS(evaluate_logits(ranks, {2, 4, 5}), Error);
  }
  const Evaluation labels = evaluate_labels({1, 1, 0}, {1, 0, 0}, 2);
  CHECK(labels.accuracy == doctest::Approx(2.0 / 3));
  CHECK(labels.confusion == std::vector<std::vector<int64_t>>{{1, 1}, {0, 1}});
}

TEST_CASE("predictor: a last batch that is not full changes nothing") {
  const Pictures p(4);
  const Model model = build_model("resnet8", 3);
  const Parameters parameters = model.graph.initialise(1);
  const Dataset& data = p.data.train;  // 9 pictures
  REQUIRE(data.size() == 9);
  const auto outputs = [&](int64_t batch, const std::string& layer) {
    Loader loader(data, p.data.preset, std::nullopt, {.batch_size = batch});
    Predictor predictor(model, parameters, input_shape(batch, p.data.preset), layer);
    return predictor.run(loader, "predicting");
  };
  for (const std::string layer : {"logits", "features", "layer1"}) {
    CAPTURE(layer);
    const Outputs one = outputs(1, layer), four = outputs(4, layer);
    CHECK(one.labels == four.labels);
    CHECK(one.indices == four.indices);
    REQUIRE(one.values.shape() == four.values.shape());
    CHECK(one.values.dim(0) == 9);
    double worst = 0, largest = 0;
    for (int64_t i = 0; i < one.values.size(); ++i) {
      worst =
          std::max(worst, std::abs(double{one.values.data()[i]} - double{four.values.data()[i]}));
      largest = std::max(largest, std::abs(double{one.values.data()[i]}));
    }
    CHECK(worst < 1e-5 * largest);
  }
  // More images than the plan holds are run in turn.
  Predictor predictor(model, parameters, input_shape(4, p.data.preset));
  Tensor images({9, 3, 16, 16});
  Random random(1);
  for (float& x : images.values()) x = static_cast<float>(random.normal());
  const Tensor all = predictor.run(images);
  const Tensor last = predictor.run(images.rows(8, 9));
  CHECK(all.shape() == Shape{9, 3});
  CHECK(equal_bits(all.rows(8, 9), last));
}

TEST_CASE("trainer: the loss is the mean over the pictures of a batch") {
  const Pictures p(8);
  const Model model = build_model("resnet8", 3);
  TrainOptions o = quick(1);
  o.learning_rate = 1e-9;
  o.out = p.folder / "run";
  Parameters parameters = model.graph.initialise(1);
  const TrainResult result = train::train(model, parameters, p.data, o);
  // Fresh weights prefer no class: log(3) or somewhat more, not a multiple or a part of it.
  CHECK(result.epochs.at(0).train_loss > 0.8 * std::log(3.0));
  CHECK(result.epochs.at(0).train_loss < 1.6 * std::log(3.0));
}
