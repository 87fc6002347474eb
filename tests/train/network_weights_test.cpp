#include "limbic/network/network_weights.h"

#include <doctest/doctest.h>

#include <cstring>

#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "tests/temporary.h"
#include "tests/weights/keras_goldens.h"

using namespace limbic;
using namespace limbic::network;

TEST_CASE("network: numbered Keras layers get the names of the graph's, each kind counted apart") {
  // The layers of make_keras_goldens.py's networks in order: what numbers them is kind and place.
  Graph g;
  const Scope s = g.root();
  Value x = relu(batch_norm(s / "bn", conv2d(s / "conv", g.input(3), {.out_channels = 4})));
  x = batch_norm(s / "bn2", conv2d(s / "dw", x, {.out_channels = 4, .groups = 4}));
  linear(s / "fc", global_avg_pool(x), {.out_features = 2});

  const WithKeras reader;
  const testing::TemporaryFolder folder;
  const auto read = [&](const std::string& name) {
    const MappedFile file = keras_golden(name);
    write_atomically(folder / name, [&](std::ostream& out) {
      out.write(reinterpret_cast<const char*>(file.bytes.data()), std::ssize(file.bytes));
    });
    weights::Checkpoint checkpoint = weights::read_checkpoint(folder / name);
    if (checkpoint.metadata.count("keras.names")) name_layers(g, checkpoint);
    return checkpoint.tensors;
  };
  const auto named = read("named.weights.h5"), numbered = read("numbered.weights.h5");
  CHECK(named.count("dw.weight") == 1);
  REQUIRE(numbered.size() == named.size());
  for (const auto& [name, tensor] : named) {
    const std::string& which = name;  // clang 14 cannot capture a structured binding
    CAPTURE(which);
    REQUIRE(numbered.count(name) == 1);
    const Tensor& got = numbered.at(name);
    CHECK(got.shape() == tensor.shape());
    CHECK(std::memcmp(got.raw(), tensor.raw(), static_cast<size_t>(tensor.bytes())) == 0);
  }
}
