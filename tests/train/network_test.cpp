#include "limbic/network/network.h"

#include <doctest/doctest.h>

#include <cstring>

#include "limbic/network/stored_case.h"
#include "limbic/nn/cpu/onednn/compat.h"
#include "limbic/train/checkpoint.h"
#include "limbic/weights/safetensors.h"
#include "tests/io/pictures.h"

using namespace limbic;
using namespace limbic::io;
using namespace limbic::models;
using namespace limbic::network;
using namespace limbic::train;
using namespace limbic::weights;
using limbic::testing::error_of;
using limbic::testing::TemporaryFolder;

namespace {

bool mentions(const std::vector<std::string>& remarks, const std::string& part) {
  for (const std::string& remark : remarks)
    if (remark.find(part) != std::string::npos) return true;
  return false;
}

}  // namespace

TEST_CASE("network: the preset is the one asked for, else the file's, else the architecture's") {
  const TemporaryFolder folder;
  const Model model = build_model("resnet8", 5);
  const std::string plain = folder / "plain.safetensors", own = folder / "own.safetensors";
  Preset stored = find_preset("keras-tf");
  stored.crop = 40;
  save_weights(plain, model.graph.initialise(1), {});
  save_weights(
      own, model.graph.initialise(1),
      {{"limbic.preset", to_json(stored)}, {"limbic.classes", "[\"a\",\"b\",\"c\",\"d\",\"e\"]"}});

  const Network by_default = open_network({.model = "resnet8", .weights = plain});
  CHECK(by_default.preset == find_preset("cifar"));
  CHECK(mentions(by_default.remarks, "the default of resnet8"));
  CHECK(by_default.model.classes == 5);
  CHECK(by_default.labels.empty());

  const Network from_file = open_network({.model = "resnet8", .weights = own});
  CHECK(from_file.preset == stored);
  CHECK(from_file.remarks.empty());
  CHECK(from_file.labels.size() == 5);

  const Network asked =
      open_network({.model = "resnet8", .weights = own, .preset = "torchvision", .image_size = 64});
  CHECK(asked.preset.name == "torchvision");
  CHECK(asked.preset.crop == 64);
  CHECK(asked.preset.short_side == 73);

  const Network other = open_network({.model = "resnet8", .weights = own, .classes = 3});
  CHECK(mentions(other.remarks, "classifier of 5 classes"));
  CHECK(other.labels.empty());

  CHECK(open_network({.model = "resnet8"}).preset.apply_exif);
  CHECK(open_network({.model = "resnet8"}).model.classes == 1000);
}

TEST_CASE("network: a checkpoint's classifier comes in the order of the classes asked for") {
  const TemporaryFolder folder;
  const std::string path = folder / "named.safetensors";
  const Parameters stored = build_model("resnet8", 3).graph.initialise(1);
  const auto open = [&](const std::string& names, std::vector<std::string> wanted) {
    save_weights(path, stored, {{"limbic.classes", names}});
    const auto n = static_cast<int64_t>(wanted.size());
    return open_network(
        {.model = "resnet8", .weights = path, .classes = n, .class_names = std::move(wanted)});
  };
  // fc.weight and fc.bias of class `to` are those of the file's class `from`.
  const auto same_class = [&](const Network& network, int64_t to, int64_t from) {
    for (const char* name : {"linear.weight", "linear.bias"}) {
      const Tensor &got = network.parameters.at(name).value, &want = stored.at(name).value;
      const int64_t row = want.size() / 3;
      if (!std::equal(got.data() + to * row, got.data() + (to + 1) * row, want.data() + from * row))
        return false;
    }
    return true;
  };
  const Network moved = open("[\"a\",\"b\",\"c\"]", {"c", "a", "b"});
  CHECK(mentions(moved.remarks, "is put into the order of 3 (c, a, b)"));
  CHECK(moved.labels == std::vector<std::string>{"c", "a", "b"});
  CHECK((same_class(moved, 0, 2) && same_class(moved, 1, 0) && same_class(moved, 2, 1)));

  const Network others = open("[\"a\",\"b\",\"c\"]", {"c", "a", "d"});
  CHECK(mentions(others.remarks, "is replaced by a fresh one of 3 (c, a, d)"));
  CHECK_FALSE((same_class(others, 0, 2) || same_class(others, 1, 0)));

  // A name twice says not which of its two rows is meant.
  const Network twice = open("[\"a\",\"a\",\"c\"]", {"c", "a", "a"});
  CHECK(mentions(twice.remarks, "is replaced by a fresh one"));
}

TEST_CASE("checkpoint: settings that are no settings are damaged, not others") {
  const TemporaryFolder folder;
  const std::string path = folder / "last.safetensors";
  Parameters parameters = build_model("resnet8", 3).graph.initialise(1);
  TrainingState state;
  state.micro_batch = 1;
  state.settings = "{\"seed\": 5";
  save_checkpoint(path, state, parameters, {});
  CHECK_THROWS_WITH_AS(load_checkpoint(path, parameters, "{\"seed\":6}"),
                       doctest::Contains("its settings are damaged"), Error);
  state.settings = "{\"seed\":5}";
  save_checkpoint(path, state, parameters, {});
  CHECK_THROWS_WITH_AS(load_checkpoint(path, parameters, "{\"seed\":6}"),
                       doctest::Contains("seed was 5 and is 6"), Error);
}

TEST_CASE("network: shared values are the file's memory until they are set") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.safetensors";
  save_weights(path, build_model("resnet8", 5).graph.initialise(1), {});
  CHECK_FALSE(
      open_network({.model = "resnet8", .weights = path}).parameters.at("conv1.weight").shared);
  const NetworkSource source{.model = "resnet8", .weights = path, .share = true};
  Network a = open_network(source);
  const Network b = open_network(source);
  const std::string name = "conv1.weight";
  const float before = a.parameters.at(name).value.data()[0];
  CHECK(a.parameters.at(name).shared);
  Tensor changed = a.parameters.at(name).value.clone();
  changed.data()[0] = before + 1;
  a.parameters.set(name, changed);
  CHECK_FALSE(a.parameters.at(name).shared);
  CHECK(a.parameters.at(name).value.data()[0] == before + 1);
  CHECK(b.parameters.at(name).value.data()[0] == before);
  CHECK(read_safetensors(path).tensors.at(name).data()[0] == before);
}

TEST_CASE("stored case: it holds on the network that wrote it and fails on another") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.safetensors";
  const Model model = build_model("resnet8", 5);
  const Parameters parameters = model.graph.initialise(1);
  save_weights(path, parameters, {}, make_stored_case(model, parameters));
  Network network = open_network({.model = "resnet8", .weights = path});
  CHECK(network.extras.size() == 3);
  const auto results = run_stored_case(network);
  REQUIRE(results.size() == 6);
  // Refused is what the processor has no instructions for, and nothing else.
  const bool bf16 = onednn::has_bf16_instructions(), int8 = onednn::has_int8_instructions();
  const std::vector<std::pair<std::string, bool>> ways = {
      {"f32", true}, {"f32", true}, {"bf16", bf16}, {"bf16", bf16}, {"int8", int8}, {"int8", int8}};
  for (size_t i = 0; i < results.size(); ++i) {
    const CaseResult& r = results[i];
    CAPTURE(i);
    CAPTURE(r.refused);
    CHECK(r.dtype == ways[i].first);
    CHECK(r.tuned == (i % 2 == 1));
    CHECK(r.passed() == ways[i].second);
    CHECK((r.refused.find("instructions") != std::string::npos) == !ways[i].second);
    if (r.dtype == "f32") CHECK(r.same_classes);
  }

  const float nudged = 1.01f;
  Tensor weight = network.parameters.at("linear.weight").value.clone();
  for (float& x : weight.values()) x *= nudged;
  network.parameters.set("linear.weight", weight);
  const auto wrong = run_stored_case(network);
  CHECK_FALSE(wrong[0].passed());
  CHECK(wrong[0].logits > 1e-3);

  network.extras.erase("limbic.case.logits");
  CHECK_THROWS_AS(run_stored_case(network), Error);
  network.extras["limbic.case.logits"] = Tensor({2, 6});
  CHECK_THROWS_AS(run_stored_case(network), Error);
  network.extras["limbic.case.logits"] = Tensor({2, 5}, DType::i32);
  CHECK_THROWS_AS(run_stored_case(network), Error);
}

TEST_CASE("network: layers that the weights may lack start afresh, and it is said") {
  const TemporaryFolder folder;
  const models::Model model = models::build_model("resnet8", 3);
  const Parameters whole = model.graph.initialise(4);
  std::map<std::string, Tensor> part;
  for (const auto& [name, p] : whole)
    if (!lies_within(name, "layer3")) part[name] = p.value;
  part["layer9.weight"] = Tensor({2, 2});  // of layers that are not there
  const std::string path = folder / "part.safetensors";
  weights::write_safetensors(path, part);
  network::NetworkSource source{.model = "resnet8", .weights = path};
  CHECK(error_of([&] { network::open_network(source); }).find("missing") != std::string::npos);
  source.fresh = {"layer3"};
  source.seed = 7;
  const network::Network opened = network::open_network(source);
  const Parameters drawn = model.graph.initialise(7);
  for (const auto& [key, p] : opened.parameters) {
    const std::string name = key;  // clang 14 does not capture a binding
    const Tensor& expected = (lies_within(name, "layer3") ? drawn : whole).at(name).value;
    const auto bytes = static_cast<size_t>(expected.bytes());
    CHECK_MESSAGE(std::memcmp(p.value.raw(), expected.raw(), bytes) == 0, name);
  }
  CHECK(mentions(opened.remarks, "start afresh (--fresh)"));
  // What is lacking elsewhere is still an error.
  source.fresh = {"layer2"};
  CHECK_THROWS_AS(network::open_network(source), Error);
}
