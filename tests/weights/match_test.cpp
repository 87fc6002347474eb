// Names as people store them, against a small network's: match_names on tensors without a file.
#include "limbic/weights/match.h"

#include <doctest/doctest.h>

#include <functional>

#include "limbic/core/error.h"
#include "limbic/weights/dialects.h"
#include "limbic/weights/states.h"

namespace limbic::weights {
namespace {

using Tensors = std::map<std::string, Tensor>;

const NetworkNames resnet{"resnet18",
                          {{"conv1.weight", {4, 3, 1, 1}},
                           {"bn1.weight", {4}},
                           {"bn1.num_batches_tracked", {}},
                           {"layer1.0.conv1.weight", {4, 4, 1, 1}},
                           {"layer1.0.downsample.0.weight", {4, 4, 1, 1}},
                           {"fc.weight", {10, 4}},
                           {"fc.bias", {10}}},
                          "fc",
                          4,
                          false,
                          ""};

Tensors plain() {
  Tensors out;
  float next = 0;
  for (const auto& [name, shape] : resnet.shapes) {
    if (shape.empty()) continue;
    Tensor t(shape);
    for (float& v : t.values()) v = next++;
    out[name] = t;
  }
  return out;
}

Tensors renamed_by(const std::function<std::string(const std::string&)>& name) {
  Tensors out;
  for (const auto& [own, tensor] : plain()) out[name(own)] = tensor;
  return out;
}

void check_found(const Tensors& file) {
  const Matching m = match_names(file, resnet);
  for (const auto* list : {&m.missing, &m.unexpected, &m.misshapen})
    for (const std::string& name : *list) CHECK(name == "");
  const Tensors expected = plain();
  REQUIRE(m.head.size() == 1);
  CHECK(m.head[0].weight.values()[7] == expected.at("fc.weight").values()[7]);
  for (const auto& [name, tensor] : m.tensors)
    CHECK(tensor.values()[0] == expected.at(name).values()[0]);
  CHECK(m.tensors.size() == 4);
}

}  // namespace

TEST_CASE("match: whatever stands before, between and beside the names") {
  check_found(plain());
  for (const std::string prefix :
       {"module.", "model.", "_orig_mod.module.", "a.b.c.", "net._orig_mod."})
    check_found(renamed_by([&](const std::string& name) { return prefix + name; }));
  check_found(renamed_by([](const std::string& name) {
    return name.starts_with("fc.") ? "head." + name : "backbone." + name;
  }));
  check_found(renamed_by([](const std::string& name) {
    return name.starts_with("fc.") ? "my_head." + name.substr(3) : name;
  }));
  Tensors beside = renamed_by([](const std::string& name) { return "model." + name; });
  beside["criterion.weight"] = Tensor({10});
  beside["n_averaged"] = Tensor({1});
  beside["w"] = Tensor({1});  // shorter than what the names begin with
  beside["model.conv1.total_ops"] = Tensor({1});
  check_found(beside);
}

TEST_CASE("match: other libraries' names are data") {
  check_found({{"resnet.embedder.embedder.convolution.weight", plain().at("conv1.weight")},
               {"resnet.embedder.embedder.normalization.weight", plain().at("bn1.weight")},
               {"resnet.encoder.stages.0.layers.0.layer.0.convolution.weight",
                plain().at("layer1.0.conv1.weight")},
               {"resnet.encoder.stages.0.layers.0.shortcut.convolution.weight",
                plain().at("layer1.0.downsample.0.weight")},
               {"classifier.1.weight", plain().at("fc.weight")},
               {"classifier.1.bias", plain().at("fc.bias")}});
  for (const std::string front : {"", "0."})
    check_found({{front + "0.weight", plain().at("conv1.weight")},
                 {front + "1.weight", plain().at("bn1.weight")},
                 {front + "4.0.conv1.weight", plain().at("layer1.0.conv1.weight")},
                 {front + "4.0.downsample.0.weight", plain().at("layer1.0.downsample.0.weight")},
                 {"9.weight", plain().at("fc.weight")},
                 {"9.bias", plain().at("fc.bias")}});
  int pixels = 0;
  for (const Dialect& dialect : dialects()) {  // none is lost for want of text behind a pointer
    CHECK(renamed(dialect, "x", pixels) == "x");
    for (const NameRule& rule : dialect.rules) CHECK(std::string(rule.from).size() > 0);
  }
}

TEST_CASE("match: heads") {
  const auto with = [](const Tensors& head) {
    Tensors file = plain();
    file.erase("fc.weight");
    file.erase("fc.bias");
    file.insert(head.begin(), head.end());
    return match_names(file, resnet);
  };
  CHECK(with({}).head.empty());
  CHECK(with({}).complete());
  const Matching bare = with({{"fc.1.weight", Tensor({7, 4})}});
  REQUIRE(bare.head.size() == 1);
  CHECK(bare.head[0].bias.empty());
  const Matching mlp = with({{"fc.0.weight", Tensor({6, 4})},
                             {"fc.0.bias", Tensor({6})},
                             {"fc.3.weight", Tensor({2, 6})},
                             {"fc.3.bias", Tensor({2})}});
  REQUIRE(mlp.head.size() == 2);
  CHECK(mlp.head[0].activated);
  const Matching chain = with({{"fc.0.weight", Tensor({6, 4})}, {"fc.1.weight", Tensor({2, 6})}});
  REQUIRE(chain.head.size() == 2);
  CHECK_FALSE(chain.head[0].activated);
  CHECK_FALSE(
      with({{"fc.0.weight", Tensor({6, 4})}, {"fc.1.running_mean", Tensor({6})}}).complete());
  CHECK_FALSE(with({{"fc.weight", Tensor({7, 5})}}).complete());  // of other features
}

TEST_CASE(
    "match: pruning is applied; what does not fit is named; of two networks none is guessed") {
  Tensors pruned = plain();
  Tensor mask({4, 3, 1, 1});
  mask.values()[1] = 1;
  pruned["conv1.weight_orig"] = pruned["conv1.weight"];
  pruned["conv1.weight_mask"] = mask;
  const float kept = pruned["conv1.weight"].values()[1];
  pruned.erase("conv1.weight");
  const Matching m = match_names(pruned, resnet);
  CHECK(m.complete());
  CHECK(m.tensors.at("conv1.weight").values()[1] == kept);
  CHECK(m.tensors.at("conv1.weight").values()[2] == 0);

  Tensors larger = plain();
  larger["layer1.1.conv1.weight"] = Tensor({4, 4, 1, 1});
  CHECK(match_names(larger, resnet).unexpected.size() == 1);
  Tensors smaller = plain();
  smaller.erase("bn1.weight");
  CHECK(match_names(smaller, resnet).missing == std::vector<std::string>{"'bn1.weight'"});
  Tensors misshapen = plain();
  misshapen["conv1.weight"] = Tensor({4, 3, 3, 3});
  CHECK(match_names(misshapen, resnet).misshapen.size() == 1);

  Tensors two;
  for (const auto& [name, tensor] : plain()) {
    two["student." + name] = tensor;
    two["teacher." + name] = tensor.clone();
    two["teacher." + name].values()[0] = 1000;
  }
  CHECK(match_names(two, resnet).prefixes.size() == 2);
  NetworkNames wanted = resnet;
  wanted.state = "teacher";
  const Matching teacher = match_names(two, wanted);
  CHECK(teacher.prefixes == std::vector<std::string>{"teacher."});
  CHECK(teacher.tensors.at("bn1.weight").values()[0] == 1000);
}

TEST_CASE("states: size, name and the user's word choose") {
  CHECK(choose_state({{"", 1}, {"net", 100}}, "", "f").index == 1);
  CHECK(choose_state({{"state_dict", 9}, {"state_dict_ema", 9}}, "", "f").index == 1);
  CHECK(choose_state({{"a.x", 9}, {"a.y", 9}}, "y", "f").index == 1);
  CHECK_FALSE(choose_state({{"a", 9}}, "y", "f").wanted_found);
  CHECK_THROWS_AS(choose_state({{"a", 9}, {"b", 9}}, "", "f"), Error);
  CHECK_THROWS_AS(choose_state({{"a", 9}, {"b", 9}}, "c", "f"), Error);
  CHECK_THROWS_AS(choose_state({}, "", "f"), Error);
}

}  // namespace limbic::weights
