#include "limbic/weights/npz.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "limbic/core/error.h"
#include "limbic/core/random.h"
#include "limbic/weights/load.h"
#include "limbic/weights/zip.h"
#include "tests/weights/mutations.h"
#include "tests/weights/zip_writer.h"

using namespace limbic;
using namespace limbic::weights;

namespace {

using Bytes = std::vector<uint8_t>;

const std::string folder = LIMBIC_SOURCE_DIR "/tests/goldens/npz/";

// An array as numpy.save writes it.
Bytes npy(const std::string& header, size_t numbers = 24, char version = 1) {
  std::string out = "\x93NUMPY";
  out += version;
  out += '\0';
  const auto length = static_cast<uint32_t>(header.size());
  out.append(reinterpret_cast<const char*>(&length), version == 1 ? 2 : 4);
  out += header;
  out.append(numbers, '\1');
  return {out.begin(), out.end()};
}

std::string error_of(const Bytes& bytes) {
  try {
    parse_npz(at_exact_size(bytes, "x"));
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::string error_of(const std::string& name) { return error_of(read_file(folder + name)); }

void contains(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("npz: what NumPy wrote, stored or deflated, under a network's names") {
  const std::map<std::string, Shape> shapes = {{"conv1.weight", {2, 3, 1, 2}},
                                               {"conv1.bias", {2}},
                                               {"conv2.weight", {2, 1, 3, 1}},
                                               {"conv2.bias", {2}},
                                               {"conv3.weight", {1, 2, 2, 2}},
                                               {"conv3.bias", {1}},
                                               {"conv4.weight", {4, 2, 1, 1}},
                                               {"conv4.bias", {4}},
                                               {"fc6.weight", {3, 4}},
                                               {"fc6.bias", {3}},
                                               {"steps", {}},
                                               {"one_1", {3}}};
  for (const std::string name : {"stored.npz", "deflated.npz"}) {
    CAPTURE(name);
    const Checkpoint read = read_checkpoint(folder + name);
    CHECK(read.format == "NumPy");
    REQUIRE(read.tensors.size() == shapes.size());
    for (const auto& [key, shape] : shapes) {
      const std::string& tensor_name = key;
      CAPTURE(tensor_name);
      REQUIRE(read.tensors.contains(key));
      const Tensor& tensor = read.tensors.at(key);
      CHECK(tensor.shape() == shape);
      if (key == "steps" || key == "one_1") continue;
      const Tensor values = to_f32(tensor);
      for (int64_t i = 0; i < values.size(); ++i)
        CHECK(values.data()[i] == static_cast<float>(i - values.size() / 3) / 8);
    }
    CHECK(read.tensors.at("steps").data<int64_t>()[0] == 7);
    CHECK(read.tensors.at("one_1").data<uint8_t>()[2] == 2);
    CHECK(read.tensors.at("conv2.weight").dtype() == DType::f64);
    CHECK(read.tensors.at("conv2.bias").dtype() == DType::f16);
  }
  const Checkpoint one = read_checkpoint(folder + "conv1_w.npy");
  REQUIRE(one.tensors.size() == 1);
  CHECK(one.tensors.at("conv1.weight").shape() == Shape{2, 3, 1, 2});
}

TEST_CASE("npz: what cannot be read is named") {
  contains(error_of("fortran.npz"), "x: 'fc_w.npy': is in Fortran's order");
  contains(error_of("objects.npz"), "holds pickled Python objects");
  contains(error_of("big_endian.npz"), "is of type '>f4', expected little-endian");
  contains(error_of("twice.npz"), "two arrays are 'fc.weight'");
  const std::string order = "'fortran_order': False, 'shape': ";
  const auto header = [&](const std::string& shape, const char* type = "<f4") {
    return "{'descr': '" + std::string(type) + "', " + order + shape + ", }\n";
  };
  CHECK(error_of(npy(header("(2, 3)"))) == "no error");
  CHECK(error_of(npy(header("(2L, 3L)"), 24, 2)) == "no error");
  CHECK(error_of(npy(header("()"), 4)) == "no error");
  CHECK(error_of(npy(header("(0, 7)"), 0)) == "no error");
  for (const char* shape :
       {"(2, 4)", "(6,)x", "(5,)", "(-6,)", "(6", "6", "(2 3)", "(,)", "(9999999999999999999,)",
        "(4294967296, 4294967296, 4294967296)", "(6,), 'shape': (6,)"}) {
    CAPTURE(shape);
    contains(error_of(npy(header(shape))), "x: ");
  }
  contains(error_of(npy(header("(2, 4)"))), "its shape (2,4) does not fit the 24 bytes");
  contains(error_of(npy(header("(6,)"), 23)), "does not fit the 23 bytes");
  contains(error_of(npy(header("(6,)"), 24, 4)), "of version 4");
  contains(error_of(npy("{'descr': [('a', '<f4')], " + order + "(6,)}")), "structured");
  contains(error_of(npy("{" + order + "(6,)}")), "lacks the type");
  contains(error_of(npy("{'descr': '<f4")), "ends within a name");
  contains(error_of(npy("{'a': 1}")), "has an entry 'a'");
  contains(error_of(npy(header("(6,)") + "x")), "or has more behind them");
  Bytes cut = npy(header("(6,)"));
  cut.resize(20);
  contains(error_of(cut), "does not fit into 20");
}

TEST_CASE("npz: mutated archives and arrays are read or refused in one line") {
  std::vector<Bytes> seeds;
  for (const char* name : {"stored.npz", "deflated.npz", "conv1_w.npy", "objects.npz"})
    seeds.push_back(read_file(folder + name));
  const auto read = [](const MappedFile& file) { return parse_npz(file, false); };
  int64_t worked = 0;
  const int64_t count = mutation_count(2000);
  for (int64_t i = 0; i < count; ++i) {
    CAPTURE(i);
    Random random(static_cast<uint64_t>(i));
    Bytes bytes = seeds[static_cast<size_t>(i) % seeds.size()];
    mutate_bytes(bytes, random);
    worked += survives(bytes, read);
  }
  MESSAGE(worked << " of " << count << " could be read");
  CHECK(worked > count / 100);
  CHECK(worked < count);
}
