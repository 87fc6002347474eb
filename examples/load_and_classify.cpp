// Loads a checkpoint and says what is in a picture:
//
//   load_and_classify [WEIGHTS.safetensors PICTURE [MODEL]]
//
// MODEL is an architecture (default squeezenet1_1). Without arguments it makes fresh weights and a
// picture of its own, saves both, and reads them back: the answer is then a guess.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <numeric>

#include "limbic/core/file.h"
#include "limbic/io/decode.h"
#include "limbic/io/png.h"
#include "limbic/network/network.h"
#include "limbic/nn/ops/softmax.h"
#include "limbic/nn/plan.h"
#include "limbic/train/checkpoint.h"

using namespace limbic;
using namespace limbic::io;
using namespace limbic::models;
using namespace limbic::network;
using namespace limbic::train;

// A red disc on blue.
Picture draw_a_disc() {
  Picture picture(96, 128);
  for (int64_t y = 0; y < picture.height; ++y)
    for (int64_t x = 0; x < picture.width; ++x) {
      const bool inside = (x - 64) * (x - 64) + (y - 48) * (y - 48) < 30 * 30;
      picture.row(y)[3 * x + (inside ? 0 : 2)] = 200;
    }
  return picture;
}

void classify(const std::string& name, const std::string& weights, const std::string& path) {
  // Loading is strict: every name and shape must fit, or all that do not are listed in one error.
  // The file says how many classes there are, and its preset how it wants its pictures: size,
  // range, mean, order of colours.
  const Network network = open_network({.model = name, .weights = weights});
  const Preset& preset = network.preset;

  Tensor image({1, 3, preset.crop, preset.crop});
  preprocess(decode_file(path, preset.decode_options()), preset, image.data());

  Plan plan(network.model.graph, network.parameters, PlanOptions::inference(image.shape()));
  plan.run(image);
  Tensor p = plan.output("logits");
  softmax_rows(p.values(), p.dim(1), p.values());

  std::vector<size_t> order(p.values().size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return p.values()[a] > p.values()[b]; });
  std::printf("%s\n", path.c_str());
  for (size_t k = 0; k < std::min<size_t>(5, order.size()); ++k)
    std::printf("  class %4zu  %6.2f %%\n", order[k],
                100 * static_cast<double>(p.values()[order[k]]));
}

int main(int argc, char** argv) {
  try {
    if (argc >= 3) {
      classify(argc > 3 ? argv[3] : "squeezenet1_1", argv[1], argv[2]);
      return 0;
    }
    std::string name = std::filesystem::temp_directory_path() / "limbic_XXXXXX";
    require(::mkdtemp(name.data()) != nullptr, name, ": cannot be made");
    const std::filesystem::path folder = name;
    const std::string weights = folder / "resnet8.safetensors", picture = folder / "disc.png";
    save_weights(weights, build_model("resnet8", 10).graph.initialise(3), {});
    const auto png = encode_png(draw_a_disc());
    write_atomically(picture, [&](std::ostream& out) {
      out.write(reinterpret_cast<const char*>(png.data()),
                static_cast<std::streamsize>(png.size()));
    });
    classify("resnet8", weights, picture);
    std::filesystem::remove_all(folder);
    return 0;
  } catch (const Error& e) {  // one line: what, where, what was expected
    std::fprintf(stderr, "load_and_classify: %s\n", e.what());
    return 1;
  }
}
