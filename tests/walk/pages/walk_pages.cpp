// Writes the walks of resnet20 and SqueezeNet 1.1 into a folder, for scripts/check_walk.sh, with
// the published weights where a second folder has them and random ones elsewhere, of a drawn
// picture.
//
//   walk_pages OUT_FOLDER [WEIGHTS_FOLDER]
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "limbic/network/network.h"
#include "limbic/network/predictor.h"
#include "limbic/walk/page.h"

namespace {

using namespace limbic;

// A bright disc on waves of colour.
io::Picture drawn(int64_t side) {
  io::Picture out(side, side);
  for (int64_t y = 0; y < side; ++y)
    for (int64_t x = 0; x < side; ++x) {
      const double u = static_cast<double>(x) / static_cast<double>(side) - 0.5;
      const double v = static_cast<double>(y) / static_cast<double>(side) - 0.5;
      const bool disc = u * u + v * v < 0.06;
      for (int k = 0; k < 3; ++k)
        out.row(y)[3 * x + k] =
            static_cast<uint8_t>(disc ? 230 - 30 * k : 110 + 60 * std::sin(9 * (u + v * k) + k));
    }
  return out;
}

void write(const std::string& out, const std::string& weights, const std::string& name) {
  const bool known = !weights.empty() && std::filesystem::exists(weights);
  const network::Network n = network::open_network(
      {.model = name, .weights = known ? weights : "", .classes = known ? 0 : 10});
  const io::Picture picture = drawn(n.preset.crop);
  Tensor image(network::input_shape(1, n.preset));
  io::normalise(picture, n.preset, image.data());
  const walk::Page page = walk::render(
      walk::record(n.model.graph, n.parameters, image),
      {.network = name,
       .about = known ? "Published weights, a drawn picture." : "Random weights, a drawn picture.",
       .picture = picture});
  std::ofstream(out + "/" + name + ".html") << page.html;
  std::printf("%s: %zu bytes, %s\n", name.c_str(), page.html.size(),
              page.selection.whole ? "whole" : "a selection");
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string out = argc > 1 ? argv[1] : ".", folder = argc > 2 ? argv[2] : "";
  const auto in = [&](const char* file) { return folder.empty() ? "" : folder + "/" + file; };
  write(out, in("resnet20-12fca82f.th"), "resnet20");
  write(out, in("squeezenet1_1.safetensors"), "squeezenet1_1");
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "walk_pages: %s\n", e.what());
  return 1;
}
