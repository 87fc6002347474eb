#include "train/trainer.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "tests/io/pictures.h"
#include "train/checkpoint.h"
#include "weights/safetensors.h"

using namespace limbic;
using testing::error_of;
using testing::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

// Stripes across, stripes down, a disc; each colour and place at random.
Picture pattern(int64_t label, Random& random) {
  constexpr int64_t size = 16;
  Picture picture(size, size);
  const int64_t phase = random.below(4), cx = 4 + random.below(8), cy = 4 + random.below(8);
  const int64_t colour = random.below(3);
  for (int64_t y = 0; y < size; ++y)
    for (int64_t x = 0; x < size; ++x) {
      const bool stripe = ((label == 0 ? y : x) + phase) / 2 % 2 == 0;
      const bool disc = (x - cx) * (x - cx) + (y - cy) * (y - cy) < 16;
      if (label == 2 ? disc : stripe) picture.row(y)[3 * x + colour] = 220;
    }
  return picture;
}

struct Pictures {
  TemporaryFolder folder;
  TrainData data;

  explicit Pictures(int64_t per_class = 16) {
    const std::vector<std::string> classes = {"across", "disc", "down"};
    for (int64_t c = 0; c < 3; ++c)
      for (int64_t i = 0; i < per_class; ++i) {
        Random random(static_cast<uint64_t>(c), static_cast<uint64_t>(i));
        const int64_t kind = c == 0 ? 0 : c == 1 ? 2 : 1;
        testing::write_png(
            folder / ("set/" + classes[static_cast<size_t>(c)] + "/" + std::to_string(i) + ".png"),
            pattern(kind, random));
      }
    Split parts = split(list_folders(folder / "set"), 0.75, 1);
    data = {std::move(parts.train), std::move(parts.held_out),
            with_image_size(find_preset("cifar"), 16), std::nullopt};
  }
};

TrainOptions quick(int64_t epochs) {
  TrainOptions o;
  o.epochs = epochs;
  o.batch_size = 6;
  o.learning_rate = 0.05;
  return o;
}

bool equal_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

// The first name whose bits differ; "" where all are equal.
std::string first_difference(const Parameters& a, const Parameters& b) {
  for (const auto& [name, p] : a)
    if (!equal_bits(p.value, b.at(name).value)) return name;
  return "";
}

std::string first_difference(const std::string& path, const std::string& other) {
  const auto a = read_safetensors(path).tensors, b = read_safetensors(other).tensors;
  if (a.size() != b.size()) return "number of tensors";
  for (const auto& [name, tensor] : a)
    if (!b.count(name) || !equal_bits(tensor, b.at(name))) return name;
  return "";
}

struct Killed {};  // no std::exception: nothing of ours may catch it

// Stops the training at its n-th report, counted from 1.
ProgressFunction kill_at(int64_t n) {
  return [n, seen = int64_t{0}](const Progress&) mutable {
    if (++seen == n) throw Killed{};
  };
}

}  // namespace

TEST_CASE("trainer: it learns, writes its results, and the same seed gives the same bits") {
  const Pictures p;
  const Model model = build_model("resnet8", 3);
  TrainOptions o = quick(8);
  o.schedule.kind = Schedule::Kind::one_cycle;
  o.out = p.folder / "run";
  Parameters first = model.graph.initialise(1);
  const TrainResult result = train(model, first, p.data, o);
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
  train(model, again, p.data, o);
  CHECK(first_difference(first, again) == "");
  o.seed = 1;
  Parameters other = model.graph.initialise(1);
  train(model, other, p.data, o);
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
  train(model, undisturbed, p.data, o);

  // 36 pictures make 6 steps and one closing report an epoch. Report 4 comes before the checkpoint
  // of step 4 is written, report 7 before the epoch's; report 12 is step 11's.
  const std::vector<std::pair<int64_t, int64_t>> kills = {{3, 2}, {4, 2}, {7, 6}, {12, 10}};
  for (const auto& kill : kills) {
    const int64_t report = kill.first, resumed_step = kill.second;
    CAPTURE(report);
    o.out = p.folder / ("killed" + std::to_string(report));
    o.resume = false;
    Parameters parameters = model.graph.initialise(1);
    CHECK_THROWS_AS(train(model, parameters, p.data, o, kill_at(report)), Killed);
    o.resume = true;
    Parameters fresh = model.graph.initialise(99);  // what counts comes from the checkpoint
    const TrainResult result = train(model, fresh, p.data, o);
    CHECK(result.resumed_step == resumed_step);
    const int64_t steps_done = report > 7 ? report - 1 : std::min<int64_t>(report, 6);
    CHECK(steps_done - result.resumed_step <= o.checkpoint_interval);
    CHECK(first_difference(fresh, undisturbed) == "");
    for (const char* file : {"/weights/last.safetensors", "/weights/best.safetensors"})
      CHECK(first_difference(o.out + file, p.folder / "undisturbed" + file) == "");
    CHECK(read_file(o.out + "/weights/best.safetensors") ==
          read_file(p.folder / "undisturbed/weights/best.safetensors"));
    CHECK(result.notes.empty());
  }
}

TEST_CASE("trainer: killed twice, and with micro-batches") {
  Pictures p;
  p.data.augmentation = Augmentation{.flip = true};
  const Model model = build_model("densenet_small", 3);
  TrainOptions o = quick(2);
  o.micro_batch = 2;
  o.checkpoint_interval = 2;
  Parameters undisturbed = model.graph.initialise(1);
  train(model, undisturbed, p.data, o);
  o.out = p.folder / "run";
  o.resume = true;  // with nothing to resume it starts afresh
  Parameters parameters = model.graph.initialise(1);
  CHECK_THROWS_AS(train(model, parameters, p.data, o, kill_at(5)), Killed);
  CHECK_THROWS_AS(train(model, parameters, p.data, o, kill_at(4)), Killed);
  const TrainResult result = train(model, parameters, p.data, o);
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
  train(model, parameters, p.data, o);
  const auto last = read_file(o.out + "/weights/last.safetensors");
  const auto best = read_file(o.out + "/weights/best.safetensors");
  o.resume = true;
  Parameters again = model.graph.initialise(2);
  const TrainResult result = train(model, again, p.data, o);
  CHECK(result.resumed_step == 6);
  CHECK(result.epochs.size() == 1);
  CHECK(first_difference(parameters, again) == "");
  CHECK(read_file(o.out + "/weights/last.safetensors") == last);
  CHECK(read_file(o.out + "/weights/best.safetensors") == best);

  const auto refused = [&](const std::function<void(TrainOptions&)>& change) {
    TrainOptions changed = o;
    change(changed);
    const std::string message = error_of([&] { train(model, again, p.data, changed); });
    CAPTURE(message);
    CHECK(message.find("other options") != std::string::npos);
    CHECK(message.starts_with(o.out + ": "));
    CHECK(message.find('\n') == std::string::npos);
  };
  refused([](TrainOptions& t) { t.learning_rate = 0.01; });
  refused([](TrainOptions& t) { t.epochs = 2; });
  refused([](TrainOptions& t) { t.batch_size = 12; });
  refused([](TrainOptions& t) { t.seed = 5; });
  refused([](TrainOptions& t) { t.sgd.momentum = 0.5; });
  refused([](TrainOptions& t) { t.schedule.kind = Schedule::Kind::cosine; });
  refused([](TrainOptions& t) { t.schedule.step_factor = 0.5; });
  refused([](TrainOptions& t) { t.frozen = {"conv1"}; });
  refused([](TrainOptions& t) { t.loss.label_smoothing = 0.1; });
  CHECK(read_file(o.out + "/weights/last.safetensors") == last);

  testing::write_text(o.out + "/weights/last.safetensors", "no checkpoint");
  CHECK(error_of([&] { train(model, again, p.data, o); }) != "");
  fs::copy_file(o.out + "/weights/best.safetensors", o.out + "/weights/last.safetensors",
                fs::copy_options::overwrite_existing);
  CHECK(error_of([&] { train(model, again, p.data, o); }).find("no training state") !=
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
  train(model, after, p.data, o);
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
  const TrainResult result = train(model, after, p.data, o);
  CHECK(result.epochs.size() == 3);
  CHECK(result.best_epoch == 1);
  CHECK(first_difference(before, after) == "");
}

TEST_CASE("trainer: bad input is an Error") {
  Pictures p(6);
  const Model model = build_model("resnet8", 3);
  Parameters parameters = model.graph.initialise(1);
  TrainOptions o = quick(3);
  o.learning_rate = 1e30;
  std::string message = error_of([&] { train(model, parameters, p.data, o); });
  CAPTURE(message);
  CHECK(message.starts_with("the loss became "));
  CHECK(message.find("--lr") != std::string::npos);
  o = quick(1);
  o.batch_size = 0;
  CHECK(error_of([&] { train(model, parameters, p.data, o); }) != "");
  o = quick(1);
  o.micro_batch = 4;  // does not divide the batch of 6
  message = error_of([&] { train(model, parameters, p.data, o); });
  CHECK((message == "" || message.find('\n') == std::string::npos));
  o = quick(1);
  p.data.train.samples[0].label = 7;
  parameters = model.graph.initialise(1);
  CHECK(error_of([&] { train(model, parameters, p.data, o); }).find("label 7 of 3 classes") !=
        std::string::npos);
  p.data.train.samples[0].label = 0;

  // A picture that cannot be read is skipped and named.
  testing::write_text(p.data.train.samples[1].path, "this is text");
  parameters = model.graph.initialise(1);
  const TrainResult result = train(model, parameters, p.data, o);
  REQUIRE(result.skipped.size() == 1);
  CHECK(result.skipped[0].path == p.data.train.samples[1].path);
}

TEST_CASE("trainer: the micro-batch follows from the memory that there is") {
  const Pictures p(8);
  const Model model = build_model("resnet8", 3);
  const auto arena = [&](int64_t batch) {
    const Parameters parameters = model.graph.initialise(1);
    PlanOptions options = PlanOptions::training(input_shape(batch, p.data.preset));
    options.keep_parameter_gradients = false;
    return Program(model.graph, parameters, options).arena().bytes;
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
    train(model, parameters, p.data, o);
    CHECK(load_checkpoint(o.out + "/weights/last.safetensors", parameters).state.micro_batch ==
          expected);
  }
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
