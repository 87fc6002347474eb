// What changes from one step of training to the next besides the weights, and what a stored case
// refuses.
#include <doctest/doctest.h>

#include <cstdio>

#include "limbic/network/stored_case.h"
#include "limbic/train/checkpoint.h"
#include "limbic/train/trainer.h"
#include "tests/io/pictures.h"

using namespace limbic;
using namespace limbic::io;
using namespace limbic::models;
using namespace limbic::network;
using namespace limbic::train;
using testing::error_of;
using testing::TemporaryFolder;

namespace {

// Two classes of four pictures, each of one colour.
TrainData plain_pictures(const TemporaryFolder& folder) {
  for (int64_t i = 0; i < 8; ++i) {
    Picture picture(16, 16);
    for (int64_t y = 0; y < 16; ++y)
      for (int64_t x = 0; x < 48; ++x)
        picture.row(y)[x] = static_cast<uint8_t>((x * y * (i + 3) + 31 * i) % 256);
    testing::write_png(folder / str_cat("set/", i % 2 ? "odd/" : "even/", i, ".png"), picture);
  }
  return {
      list_folders(folder / "set"), {}, with_image_size(find_preset("cifar"), 16), std::nullopt};
}

}  // namespace

TEST_CASE("trainer: every step drops other units") {
  // Nothing learns, and a picture's loss depends on it and its mask alone: epochs differ by masks.
  const TemporaryFolder folder;
  const TrainData data = plain_pictures(folder);
  const auto losses = [&](const Model& model) {
    TrainOptions o;
    o.epochs = 3;
    o.batch_size = o.micro_batch = 1;
    o.learning_rate = 1e-30;
    o.sgd = {.momentum = 0};
    Parameters parameters = model.graph.initialise(1);
    std::vector<double> out;
    for (const EpochResult& e : train::train(model, parameters, data, o).epochs)
      out.push_back(e.train_loss);
    return out;
  };
  const auto with = losses(build_model("densenet_small", 2));
  CHECK(with[0] != doctest::Approx(with[1]).epsilon(1e-6));
  CHECK(with[1] != doctest::Approx(with[2]).epsilon(1e-6));
  const auto without = losses(build_model("resnet8", 2));
  CHECK(without[0] == doctest::Approx(without[1]).epsilon(1e-9));
  CHECK(without[1] == doctest::Approx(without[2]).epsilon(1e-9));
}

TEST_CASE("trainer: the micro-batches of a step drop other units") {
  // Equal pictures of one class: what differs is the mask.
  const TemporaryFolder folder;
  const auto loss = [&](const std::string& network, int64_t batch) {
    TrainData data = plain_pictures(folder);
    const Sample first = data.train.samples[0];
    data.train.samples.assign(static_cast<size_t>(batch), first);
    const Model model = build_model(network, 2);
    Parameters parameters = model.graph.initialise(1);
    TrainOptions o;
    o.epochs = o.micro_batch = 1;
    o.batch_size = batch;
    return train::train(model, parameters, data, o).epochs.at(0).train_loss;
  };
  CHECK(loss("densenet_small", 2) != doctest::Approx(loss("densenet_small", 1)).epsilon(1e-6));
  CHECK(loss("resnet8", 2) == doctest::Approx(loss("resnet8", 1)).epsilon(1e-9));
}

TEST_CASE("trainer: an epoch's last report says what its result says") {
  const TemporaryFolder folder;
  TrainData data = plain_pictures(folder);
  data.validation = data.train;
  data.validation.samples.resize(3);
  const Model model = build_model("resnet8", 2);
  Parameters parameters = model.graph.initialise(1);
  TrainOptions o;
  o.epochs = 2;
  o.batch_size = 4;
  std::vector<Progress> last;
  const TrainResult result = train::train(model, parameters, data, o, [&](const Progress& p) {
    if (p.task.starts_with("epoch") && p.done == p.total) last.push_back(p);
  });
  REQUIRE(last.size() == 2);
  for (size_t i = 0; i < 2; ++i) {
    const EpochResult& e = result.epochs.at(i);
    char note[128];
    std::snprintf(note, sizeof note, "loss %.3f  acc %.1f %%  val %.1f %%", e.train_loss,
                  100 * e.train_accuracy, 100 * e.validation_accuracy);
    CHECK(last[i].note == note);
    CHECK(last[i].task == str_cat("epoch ", i + 1, "/2"));
    CHECK(last[i].total == 8);
  }
}

TEST_CASE("stored case: a network that answers otherwise is refused, and only that") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.safetensors";
  const Model model = build_model("resnet8", 5);
  const Parameters parameters = model.graph.initialise(1);
  save_weights(path, parameters, {}, make_stored_case(model, parameters));
  Network network = open_network({.model = "resnet8", .weights = path});
  check_stored_case(network);
  Tensor weight = network.parameters.at("linear.weight").value.clone();
  for (float& x : weight.values()) x *= 1.01f;
  network.parameters.set("linear.weight", weight);
  const std::string message = error_of([&] { check_stored_case(network); });
  CHECK(message.find("other logits") != std::string::npos);
  CHECK(message.find("limbic verify") != std::string::npos);
}
