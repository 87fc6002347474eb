#include "limbic/train/frozen_prefix.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "tests/train/patterns.h"

using namespace limbic;
using namespace limbic::models;
using namespace limbic::train;
using namespace limbic::testing;

namespace {

std::string boundary_of(const Graph& graph, const std::vector<std::string>& frozen) {
  const auto found = find_boundary(graph, frozen);
  return found ? graph.node(*found).name : "";
}

}  // namespace

TEST_CASE("frozen prefix: where it ends") {
  const Graph resnet = build_model("resnet8", 3).graph;
  // A block's output is one value; within a block there are two.
  const auto first = layers_until(resnet, "layer1");
  const auto found = find_boundary(resnet, first);
  REQUIRE(found);
  CHECK(*found == resnet.find("layer1"));
  auto more = first;
  more.push_back("layer2.0.conv1");
  CHECK(find_boundary(resnet, more) == found);
  // What is frozen behind something that trains is no prefix.
  CHECK(boundary_of(resnet, {"layer1"}) == "");
  CHECK(boundary_of(resnet, {"layer3", "fc"}) == "");
  CHECK(boundary_of(resnet, {}) == "");
  // With all but the classifier frozen, what the global average gives or comes from.
  CHECK(boundary_of(resnet, layers_until(resnet, "features")) != "");

  const Graph dense = build_model("densenet_small", 3).graph;
  for (const Node& node : dense.nodes()) {
    if (node.parameters.empty()) continue;
    const auto cut = find_boundary(dense, layers_until(dense, node.name));
    if (!cut) continue;
    const Graph behind = graph_behind(dense, *cut);  // throws where something reads over the cut
    CHECK(behind.size() == dense.size() - *cut);
    for (int n = 0; n <= *cut; ++n)
      CHECK((!dense.node(n).op || std::string(dense.node(n).op->type()) != "dropout"));
  }
}

TEST_CASE("frozen prefix: the graph behind it computes what the whole one does") {
  for (const char* name : {"resnet8", "densenet121", "squeezenet1_1", "mobilenet_v2"}) {
    CAPTURE(std::string(name));
    const Model model = build_model(name, 5);
    const Parameters parameters = model.graph.initialise(3);
    const std::string stage = model.stages.at(model.stages.size() / 2);
    const auto cut = find_boundary(model.graph, layers_until(model.graph, stage));
    REQUIRE(cut);
    Tensor images({2, 3, 64, 64});
    Random random(1, 1);
    for (float& v : images.values()) v = static_cast<float>(random.normal());
    PlanOptions o = PlanOptions::inference(images.shape());
    o.keep = {model.graph.node(*cut).name};
    Plan whole(model.graph, parameters, o);
    whole.run(images);
    const Tensor between = whole.output(model.graph.node(*cut).name);
    Plan behind(graph_behind(model.graph, *cut), parameters,
                PlanOptions::inference(between.shape()));
    behind.run(between);
    const Tensor a = whole.output("logits"), b = behind.output("logits");
    for (int64_t i = 0; i < a.size(); ++i)
      CHECK(b.data()[i] == doctest::Approx(a.data()[i]).epsilon(1e-4));
  }
}

TEST_CASE("frozen prefix: losses with the cache are those without it") {
  Pictures p;
  const Model model = build_model("resnet8", 3);
  const auto train_with = [&](std::optional<DType> cache, const std::string& out) {
    TrainOptions o = quick(4);
    o.frozen_until = "layer1";
    o.cache_dtype = cache;
    o.out = p.folder / out;
    Parameters parameters = model.graph.initialise(1);
    const TrainResult r = train::train(model, parameters, p.data, o);
    return std::pair(r, parameters.clone());
  };
  const auto [without, plain] = train_with(std::nullopt, "without");
  const auto [with, own] = train_with(DType::f32, "with");
  const auto [half, narrow] = train_with(DType::bf16, "half");
  for (size_t e = 0; e < without.epochs.size(); ++e) {
    CHECK(with.epochs[e].train_loss == doctest::Approx(without.epochs[e].train_loss).epsilon(1e-5));
    CHECK(with.epochs[e].validation_loss ==
          doctest::Approx(without.epochs[e].validation_loss).epsilon(1e-5));
    CHECK(half.epochs[e].train_loss == doctest::Approx(without.epochs[e].train_loss).epsilon(0.05));
  }
  CHECK(half.epochs.back().train_loss != with.epochs.back().train_loss);
  const Parameters fresh = model.graph.initialise(1);
  int64_t same = 0, moved = 0;
  for (const auto& [name, parameter] : own)
    (equal_bits(parameter.value, fresh.at(name).value) ? same : moved) += 1;
  CHECK(same > 0);
  CHECK(moved > 0);
  CHECK(equal_bits(own.at("conv1.weight").value, fresh.at("conv1.weight").value));
  CHECK(
      !equal_bits(own.at("layer2.0.conv1.weight").value, fresh.at("layer2.0.conv1.weight").value));
  // The files of a run hold the whole network, frozen layers too.
  const auto file = weights::read_safetensors(p.folder / "with/weights/best.safetensors");
  CHECK(std::ssize(file.tensors) == own.size());
}

TEST_CASE("frozen prefix: killed while it fills and while it trains, it ends with the same bytes") {
  Pictures p;
  p.data.augmentation = io::Augmentation{.random_crop = true, .padding = 2, .flip = true};
  const Model model = build_model("densenet_small", 3);  // dropout behind the boundary
  TrainOptions o = quick(3);
  o.frozen_until = model.stages.at(0);
  o.cache_dtype = DType::f32;
  o.cache_views = 2;
  o.checkpoint_interval = 2;
  o.out = p.folder / "undisturbed";
  Parameters whole = model.graph.initialise(1);
  train::train(model, whole, p.data, o);
  o.out = p.folder / "killed";
  o.resume = true;
  for (int64_t n = 1; n <= 3; ++n) {
    int64_t seen = 0;
    Parameters parameters = model.graph.initialise(1);
    CHECK_THROWS_AS(train::train(model, parameters, p.data, o,
                                 [&](const Progress& progress) {
                                   if (progress.task.starts_with("what the frozen") && ++seen == n)
                                     throw Killed{};
                                 }),
                    Killed);
  }
  Parameters resumed = model.graph.initialise(1);
  CHECK_THROWS_AS(train::train(model, resumed, p.data, o, kill_at(5)), Killed);
  Parameters last = model.graph.initialise(1);
  const TrainResult r = train::train(model, last, p.data, o);
  CHECK(r.resumed_step > 0);
  CHECK(first_difference(whole, last) == "");
  // Another number of views is another training.
  o.cache_views = 1;
  Parameters other = model.graph.initialise(1);
  CHECK(error_of([&] { train::train(model, other, p.data, o); }).find("cache") !=
        std::string::npos);
}

TEST_CASE("rows on a disk: what is damaged, cut or of another size") {
  const TemporaryFolder folder;
  const std::string path = folder / "a/0.rows";
  Tensor block({3, 5});
  for (int64_t i = 0; i < block.size(); ++i) block.data()[i] = static_cast<float>(i) / 3;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    std::filesystem::remove_all(folder / "a");
    {
      RowFile file(path, 4, 5, dtype);
      CHECK(file.done() == 0);
      file.append(block);
      CHECK_THROWS_AS(file.append(block), Error);  // more rows than there are
    }
    RowFile file(path, 4, 5, dtype);
    CHECK(file.done() == 3);
    float row[5];
    file.read(2, row);
    CHECK(row[4] == doctest::Approx(14.0f / 3).epsilon(dtype == DType::f32 ? 1e-7 : 4e-3));
    CHECK_THROWS_AS(file.read(3, row), Error);
    std::fstream out(path, std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(RowFile::bytes(1, 5, dtype) + 3);
    out.put('x');
    out.close();
    file.read(0, row);
    CHECK(error_of([&] { file.read(1, row); }).find("row 1 is damaged") != std::string::npos);
  }
  // Another size on the disk is begun anew.
  RowFile other(path, 4, 6, DType::bf16);
  CHECK(other.done() == 0);
}

TEST_CASE("frozen prefix: a disk that is too full is said before the work") {
  Pictures p;
  const Model model = build_model("resnet8", 3);
  const Parameters parameters = model.graph.initialise(1);
  const int boundary = model.graph.find("layer1");
  io::Dataset many = p.data.train;
  // So many pictures that no disk has room for what they give: 16 x 16 x 16 numbers each.
  const std::vector<io::Sample> samples = many.samples;
  while (many.size() < 200000)
    many.samples.insert(many.samples.end(), samples.begin(), samples.end());
  io::Preset large = io::with_image_size(p.data.preset, 1024);
  const std::string message = error_of([&] {
    PrefixRows rows(model, parameters, boundary, many, "x", large, std::nullopt,
                    {.folder = p.folder / "cache", .dtype = DType::f32});
  });
  CHECK_MESSAGE(message.find("MB are free") != std::string::npos, message);
  CHECK(message.find('\n') == std::string::npos);
}
