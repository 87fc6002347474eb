#include "limbic/weights/keras/keras.h"
#include "limbic/hash/hash.h"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "limbic/weights/checkpoint.h"
#include "limbic/weights/keras/config.h"
#include "limbic/weights/layer_names.h"
#include "tests/temporary.h"
#include "tests/weights/keras_goldens.h"

using namespace limbic;
using namespace limbic::weights;
using nlohmann::json;

namespace {

std::string error_of(const MappedFile& file) {
  try {
    read_keras(file);
  } catch (const Error& error) {
    const std::string message = error.what();
    CHECK(message.starts_with("x.h5"));
    CHECK(message.find('\n') == std::string::npos);
    return message;
  }
  return "no error";
}

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  const bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

std::vector<uint8_t> bytes_of(const std::string& golden) {
  const MappedFile file = keras_golden(golden);
  return {file.bytes.begin(), file.bytes.end()};
}

// The file with its first `from` replaced; both are of one length.
std::vector<uint8_t> replaced(std::vector<uint8_t> bytes, const std::string& from,
                              const std::string& to) {
  REQUIRE(from.size() == to.size());
  const auto at = std::search(bytes.begin(), bytes.end(), from.begin(), from.end());
  REQUIRE(at != bytes.end());
  std::copy(to.begin(), to.end(), at);
  return bytes;
}

// Where the first data layout message of version 3 stands whose address and size fit the file.
size_t contiguous_layout(const std::vector<uint8_t>& bytes) {
  for (size_t at = 0; at + 18 <= bytes.size(); ++at) {
    uint64_t place[2];
    std::memcpy(place, bytes.data() + at + 2, sizeof(place));
    if (bytes[at] == 3 && bytes[at + 1] == 1 && place[0] > 0 && place[1] > 0 &&
        place[0] < bytes.size() && place[1] <= bytes.size() - place[0])
      return at;
  }
  FAIL("no data layout message");
  return 0;
}

std::string shared(const std::string& name) {
  return std::string(LIMBIC_SOURCE_DIR) + "/../shared/data/weights/" + name;
}

}  // namespace

TEST_CASE("keras: every kind of file holds what Keras and h5py say") {
  const MappedFile text = keras_golden("expected.json");
  const json expected = json::parse(text.bytes.begin(), text.bytes.end());
  REQUIRE(expected.size() >= 14);
  for (const auto& [name, tensors] : expected.items()) {
    const auto& golden = name;  // clang 14 cannot capture a structured binding
    CAPTURE(golden);
    const Checkpoint read = read_keras(keras_golden(name));
    CHECK(read.tensors.size() == tensors.size());
    for (const auto& [tensor, what] : tensors.items()) {
      const auto& label = tensor;
      CAPTURE(label);
      REQUIRE(read.tensors.count(tensor) == 1);
      const Tensor& got = read.tensors.at(tensor);
      CHECK(to_string(got.dtype()) == what[0].get<std::string>());
      CHECK(got.shape() == what[1].get<Shape>());
      const auto* data = static_cast<const uint8_t*>(got.raw());
      const std::string hash = sha256({data, static_cast<size_t>(got.bytes())});
      CHECK(hash.substr(0, 16) == what[2].get<std::string>());
    }
  }
}

TEST_CASE("keras: read_checkpoint knows HDF5 and .keras by content") {
  const WithKeras reader;
  for (const std::string name : {"full.h5", "named.keras"}) {
    CAPTURE(name);
    const MappedFile golden = keras_golden(name);
    CHECK(is_keras(golden));
    const testing::TemporaryFolder folder;
    const std::string path = folder / "a.bin";
    write_atomically(path, [&](std::ostream& out) {
      out.write(reinterpret_cast<const char*>(golden.bytes.data()),
                static_cast<std::streamsize>(golden.bytes.size()));
    });
    const Checkpoint checkpoint = read_checkpoint(path);
    CHECK(checkpoint.tensors.at("conv.weight").shape() == Shape{4, 3, 3, 3});
    CHECK(json::parse(checkpoint.metadata.at("keras.config")).contains("config"));
    CHECK(sha256(checkpoint.file.bytes) == sha256(golden.bytes));
  }
  CHECK_FALSE(
      is_keras(file_of({'P', 'K', 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})));
}

TEST_CASE("keras: a program without the reader says what it lacks") {
  const testing::TemporaryFolder folder;
  for (const std::string name : {"full.h5", "named.keras"}) {
    CAPTURE(name);
    const MappedFile golden = keras_golden(name);
    const std::string path = folder / name;
    write_atomically(path, [&](std::ostream& out) {
      out.write(reinterpret_cast<const char*>(golden.bytes.data()), std::ssize(golden.bytes));
    });
    const std::string expected =
        path +
        ": this is Keras' (HDF5), and this build has no reader for it (CMake's "
        "LIMBIC_KERAS=ON adds it); expected a checkpoint of safetensors, PyTorch or "
        "NumPy";
    CHECK_THROWS_WITH_AS(read_checkpoint(path), expected.c_str(), Error);
    const WithKeras reader;
    CHECK_NOTHROW(read_checkpoint(path));
  }
}

TEST_CASE("keras: numbered layers get the network's names, counted for each class") {
  Checkpoint read = read_keras(keras_golden("numbered.weights.h5"));
  CHECK(read.metadata.at("keras.names") == "numbered");
  CHECK(read_keras(keras_golden("named.weights.h5")).metadata.count("keras.names") == 0);
  CHECK(read_keras(keras_golden("numbered.keras")).metadata.count("keras.names") == 0);
  name_numbered_layers(read.tensors, {{"conv2d", "conv"},
                                      {"batch_normalization", "bn"},
                                      {"depthwise_conv2d", "dw"},
                                      {"batch_normalization", "bn2"},
                                      {"dense", "fc"}});
  const Checkpoint named = read_keras(keras_golden("named.weights.h5"));
  REQUIRE(read.tensors.size() == named.tensors.size());
  for (const auto& [name, tensor] : named.tensors) {
    const Tensor& got = read.tensors.at(name);
    CHECK(got.shape() == tensor.shape());
    CHECK(std::memcmp(got.raw(), tensor.raw(), static_cast<size_t>(tensor.bytes())) == 0);
  }
  std::map<std::string, Tensor> twice = {{"conv2d.weight", {}}, {"conv2d_1.weight", {}}};
  CHECK_THROWS_AS(name_numbered_layers(twice, {{"conv2d", "a"}, {"conv2d", "a"}}), Error);
}

TEST_CASE("keras: what is not read is refused in a plain sentence") {
  contains(error_of(keras_golden("big_endian.h5")), "32-bit floating point, big endian");
  contains(error_of(keras_golden("unscaled.weights.h5")), "whether gamma or beta is missing");
  auto bytes = bytes_of("old_groups.h5");
  contains(error_of(file_of(replaced(bytes, "tensorflow", std::string("theano\0\0\0\0", 10)))),
           "Theano");
  contains(error_of(file_of(replaced(bytes, "layer_names", "player_name"))), "is not Keras'");
  contains(error_of(file_of(replaced(bytes, "conv1/bn", "conv1/bm"))), "is not there");
  contains(error_of(file_of(replaced(bytes, "fc1000/bias:0", "fc1000/bias_0"))), "is not there");
  bytes[8] = 9;
  contains(error_of(file_of(bytes)), "HDF5 superblock at byte 0: has version 9");
  bytes[8] = 0, bytes[13] = 4;
  contains(error_of(file_of(bytes)), "addresses of 4");
  bytes[13] = 8;
  bytes[contiguous_layout(bytes)] = 2;
  contains(error_of(file_of(bytes)), "has version 2, expected 3 to 5");
  bytes = bytes_of("dense.h5");
  bytes[12 + 20] ^= 1;
  contains(error_of(file_of(bytes)), "checksum");
  contains(error_of(file_of({})), "HDF5 superblock");
}

TEST_CASE("keras: a file cut anywhere is refused") {
  for (const std::string name : {"legacy.h5", "old_groups.h5", "named.keras"}) {
    CAPTURE(name);
    const auto whole = bytes_of(name);
    for (size_t size = 1; size < whole.size(); size += size < 2000 ? 1 : 97) {
      CAPTURE(size);
      // h5py ends a file with what is free; cut there, all data is still whole.
      const std::string error = error_of(file_of({whole.begin(), whole.begin() + size}));
      if (size + 2100 < whole.size()) CHECK(error != "no error");
    }
  }
}

TEST_CASE("keras: layers are found in a model's JSON, whatever else is in it") {
  const std::string where = "x.h5: config ";
  const auto layers = read_keras_config(
      R"({"class_name":"Functional","config":{"name":"m","layers":[
          {"class_name":"Conv2D","config":{"name":"c","dtype":{"class_name":"DTypePolicy",
            "config":{"name":"float32"}},"padding":[[1,2],null,-1,1.5]}},
          {"class_name":"Sequential","config":[
            {"class_name":"BatchNormalization","config":{"scale":false,"name":"b"}}]}]}})",
      where);
  REQUIRE(layers.size() == 4);
  CHECK((layers[0].kind == "functional" && layers[0].name == "m" && layers[0].parent == -1));
  CHECK((layers[1].kind == "conv2d" && layers[1].name == "c" && layers[1].parent == 0));
  CHECK((layers[2].kind == "sequential" && layers[2].parent == 0));
  CHECK((layers[3].name == "b" && layers[3].parent == 2 && !layers[3].scale && layers[3].center));
  CHECK(read_keras_config("[1,true,\"a\"]", where).empty());
  CHECK_THROWS_WITH_AS(read_keras_config("{", where),
                       "x.h5: config is not JSON (byte 2 of it); the file is damaged, fetch it "
                       "again",
                       Error);
  CHECK_THROWS_AS(read_keras_config(std::string(100'000, '['), where), Error);
  std::string many = R"({"config":[{})";
  for (int i = 0; i < 20'000; ++i) many += ",{}";
  CHECK_THROWS_AS(read_keras_config(many + "]}", where), Error);
  for (const auto& [name, snake] :
       std::map<std::string, std::string>{{"BatchNormalization", "batch_normalization"},
                                          {"Conv2D", "conv2d"},
                                          {"Conv2DTranspose", "conv2d_transpose"},
                                          {"DepthwiseConv2D", "depthwise_conv2d"},
                                          {"ReLU", "re_lu"},
                                          {"PReLU", "p_re_lu"},
                                          {"LSTM", "lstm"}})
    CHECK(snake_case(name) == snake);
}

TEST_CASE("keras: the published ResNet-8 and MobileNet files load") {
  const WithKeras reader;
  for (const auto& [name, tensors] :
       std::map<std::string, size_t>{{"pretrainedResnet.h5", 48}, {"vww_96.h5", 164}}) {
    const std::string path = shared(name);
    if (!std::filesystem::exists(path)) {
      MESSAGE("skipped: " << path << " is not there");
      continue;
    }
    const Checkpoint checkpoint = read_checkpoint(path);
    CHECK(checkpoint.tensors.size() == tensors);
    CHECK(checkpoint.metadata.at("keras.version") == "2.4.0");
    CHECK(checkpoint.tensors.at("conv2d.weight").dim(1) == 3);
  }
}
