#pragma once
// A small pipeline to test with: drawn pictures, networks of two sizes.
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>

#include "limbic/emotion/fit.h"
#include "tests/io/pictures.h"

namespace limbic::testing {

// Each class a colour, the rest noise.
inline io::Dataset make_pictures(const TemporaryFolder& folder, int64_t per_class) {
  const std::vector<std::string> classes = {"awe", "fear", "joy"};
  for (size_t c = 0; c < 3; ++c)
    for (int64_t i = 0; i < per_class; ++i) {
      io::Picture picture = random_picture(16, 16, 100 * c + static_cast<uint64_t>(i));
      for (size_t at = 0; at < picture.pixels.size(); ++at)
        picture.pixels[at] = static_cast<uint8_t>(picture.pixels[at] / 2 + (at % 3 == c ? 120 : 0));
      write_png(folder / ("set/" + classes[c] + "/" + std::to_string(i) + ".png"), picture);
    }
  return io::list_folders(folder / "set");
}

inline emotion::Branch small_branch(const std::string& role, uint64_t seed) {
  emotion::Branch b{.role = role};
  b.network.model = models::build_model("resnet8", 3);
  b.network.parameters = b.network.model.graph.initialise(seed);
  b.network.preset = io::with_image_size(io::find_preset("cifar"), 16);
  b.hash = "hash of " + role;
  return b;
}

inline bool equal_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

inline Tensor noise(const Shape& shape, uint64_t seed) {
  Tensor out(shape);
  Random random(seed);
  for (float& x : out.values()) x = static_cast<float>(random.normal());
  return out;
}

inline emotion::FitOptions small_fit(const std::string& out, int64_t epochs) {
  emotion::FitOptions o;
  o.out = out;
  o.diff1 = {.model = "resnet8", .preset = "cifar", .image_size = 16};
  o.diff2 = {.model = "resnet14", .preset = "cifar", .image_size = 16};
  o.training.epochs = epochs;
  o.training.batch_size = 6;
  o.training.learning_rate = 0.05;
  return o;
}

/// A pipeline of two small networks, fitted, and its photos.
struct FittedPipeline {
  TemporaryFolder folder;
  std::string model = folder / "model";
  std::vector<std::string> photos;

  explicit FittedPipeline(int64_t per_class = 6) {
    const io::Dataset data = make_pictures(folder, per_class);
    emotion::fit(data, small_fit(model, 0));
    for (const io::Sample& s : data.samples) photos.push_back(s.path);
  }
};

inline emotion::Prediction predict_all(const emotion::EmotionModel& model,
                                       const io::Dataset& data) {
  const emotion::BranchFeatures f = emotion::extract_features(model.branches, data, {});
  return emotion::classify(model.classifier, model.roles(), f.blocks,
                           static_cast<int64_t>(model.classes.size()));
}

}  // namespace limbic::testing
