// A real network on real photos in 8 bits, where they are there: ../shared/data beside the
// repository.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "limbic/io/decode.h"
#include "limbic/io/preset.h"
#include "limbic/network/network.h"
#include "limbic/network/predictor.h"
#include "limbic/nn/calibrate.h"
#include "limbic/nn/compile/program.h"

using namespace limbic;
using namespace limbic::io;
using namespace limbic::network;
namespace fs = std::filesystem;

TEST_CASE("int8: SqueezeNet keeps f32's first class on at least 97 of 100 photos") {
  const std::string data = LIMBIC_SOURCE_DIR "/../shared/data";
  const std::string weights = data + "/weights/squeezenet1_1.safetensors";
  if (!fs::exists(weights) || !fs::exists(data + "/images/imagenet100")) {
    MESSAGE("skips: " << data << " is not there");
    return;
  }
  const Network network = open_network({.model = "squeezenet1_1", .weights = weights});
  std::vector<std::string> photos;
  for (const auto& entry : fs::directory_iterator(data + "/images/imagenet100"))
    photos.push_back(entry.path());
  std::sort(photos.begin(), photos.end());
  const auto count = static_cast<int64_t>(photos.size());
  Tensor images(input_shape(count, network.preset));
  const int64_t per_image = images.size() / count;
  for (int64_t i = 0; i < count; ++i)
    preprocess(decode_file(photos[static_cast<size_t>(i)], network.preset.decode_options()),
               network.preset, images.data() + i * per_image);
  // Scales from every second photo, eight at a time.
  std::vector<Tensor> batches;
  for (int64_t i = 0; i + 8 <= count; i += 16) batches.push_back(images.rows(i, i + 8));
  PlanOptions options = PlanOptions::inference(input_shape(10, network.preset));
  Predictor exact(network.model, network.parameters, options);
  options.dtype = DType::i8;
  options.slow_int8 = true;
  options.calibration = calibrate(network.model.graph, network.parameters, batches);
  Predictor quantised(network.model, network.parameters, options);
  CHECK(quantised.plan().program().convolutions().in_8_bits == 24);
  const Tensor f32 = exact.run(images), int8 = quantised.run(images);
  const int64_t classes = f32.dim(1);
  int64_t same = 0;
  double error = 0, norm = 0;
  for (int64_t i = 0; i < count; ++i) {
    const auto row = [&](const Tensor& t) {
      return std::span<const float>(t.data() + i * classes, static_cast<size_t>(classes));
    };
    same += argmax(row(f32)) == argmax(row(int8));
    for (size_t c = 0; c < static_cast<size_t>(classes); ++c) {
      const double a = double{row(int8)[c]}, b = double{row(f32)[c]};
      error += (a - b) * (a - b);
      norm += b * b;
    }
  }
  MESSAGE("the same first class on " << same << " of " << count << " photos, logits off by "
                                     << std::sqrt(error / norm));
  CHECK(100 * same >= 97 * count);
}
