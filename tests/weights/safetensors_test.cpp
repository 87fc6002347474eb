#include "limbic/weights/safetensors.h"
#include "limbic/hash/hash.h"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>

#include "limbic/core/file.h"
#include "limbic/weights/checkpoint.h"
#include "tests/temporary.h"
#include "tests/weights/keras_goldens.h"
#include "tests/weights/mutations.h"

using namespace limbic;
using namespace limbic::weights;

namespace {

using Tensors = std::map<std::string, Tensor>;

std::string temporary(const std::string& name) {
  static const testing::TemporaryFolder folder;
  return folder / name;
}

// A file's bytes from a header and a buffer, nothing checked.
std::vector<uint8_t> raw_file(const std::string& header, const std::string& buffer = "") {
  const std::string body = header + buffer;
  std::vector<uint8_t> out(8 + body.size());
  const uint64_t size = header.size();
  std::memcpy(out.data(), &size, 8);
  std::copy(body.begin(), body.end(), out.begin() + 8);
  return out;
}

// Exactly as many bytes as given, on the heap, so that a sanitizer sees any overrun.
SafetensorsFile parse(const std::vector<uint8_t>& bytes) {
  const auto copy = std::make_shared<std::vector<uint8_t>>(bytes);
  copy->shrink_to_fit();
  return parse_safetensors({copy, {copy->data(), copy->size()}, "x.safetensors"});
}

std::string error_of(const std::vector<uint8_t>& bytes) {
  try {
    parse(bytes);
  } catch (const Error& error) {
    const std::string message = error.what();
    CHECK(message.starts_with("x.safetensors: "));
    CHECK(message.find('\n') == std::string::npos);
    return message;
  }
  return "no error";
}

std::string error_of(const std::string& header, const std::string& buffer = "") {
  return error_of(raw_file(header, buffer));
}

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  const bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

Tensors one_of_each_dtype() {
  Tensors out;
  int64_t elements = 1;
  for (DType dtype : {DType::u8, DType::f64, DType::f32, DType::f16, DType::bf16, DType::i64,
                      DType::i32, DType::i16, DType::i8, DType::boolean}) {
    Tensor tensor({elements, 3}, dtype);
    auto* bytes = static_cast<uint8_t*>(tensor.raw());
    for (int64_t i = 0; i < tensor.bytes(); ++i) bytes[i] = static_cast<uint8_t>(i * 7 + elements);
    out["layer." + to_string(dtype)] = tensor;
    elements += 2;
  }
  out["scalar"] = Tensor::of<float>(std::vector<float>{2.5f}, {});
  out["nothing"] = Tensor({0, 4});
  return out;
}

// The header stays a text of its own length: a number becomes another, a quoted text one that means
// something elsewhere, an entry is there twice or gone, or a character changes.
void mutate_header(std::string& text, Random& random) {
  const auto below = [&](size_t n) {
    return static_cast<size_t>(random.below(static_cast<int64_t>(n)));
  };
  const char* const words[] = {"dtype",   "shape",        "data_offsets", "F32",       "BOOL",
                               "F8_E5M2", "__metadata__", "scalar",       "layer.F32", ""};
  for (int64_t n = random.below(3); n >= 0 && !text.empty(); --n) {
    const size_t at = below(text.size());
    const size_t digits = text.find_first_of("0123456789", at), quote = text.find('"', at);
    const size_t entry = text.find("\"layer", at);
    switch (random.below(5)) {
      case 0:
        if (digits != std::string::npos)
          text.replace(digits, text.find_first_not_of("0123456789", digits) - digits,
                       std::to_string(random.below(2) ? extreme(random) : below(1000)));
        break;
      case 1: {
        const size_t end = quote == std::string::npos ? quote : text.find('"', quote + 1);
        if (end != std::string::npos) text.replace(quote + 1, end - quote - 1, words[below(10)]);
        break;
      }
      case 2: {
        const size_t end = entry == std::string::npos ? entry : text.find("},", entry);
        if (end == std::string::npos) break;
        const std::string copy = text.substr(entry, end + 2 - entry);
        if (random.below(2))
          text.erase(entry, copy.size());
        else
          text.insert(entry, copy);
        break;
      }
      case 3:
        text[at] = "0123456789{}[]\",:"[below(17)];
        break;
      default:
        text.insert(at, static_cast<size_t>(random.below(8) ? 1 : below(5000)), "[{\"0"[below(4)]);
    }
  }
}

}  // namespace

TEST_CASE("safetensors: every dtype comes back, aligned, with its metadata") {
  const std::string path = temporary("round.safetensors");
  const Tensors tensors = one_of_each_dtype();
  write_safetensors(path, tensors, {{"format", "pt"}, {"note", "quote \" and ü"}});
  const SafetensorsFile read = read_safetensors(path);
  CHECK(read.metadata.at("note") == "quote \" and ü");
  REQUIRE(read.tensors.size() == tensors.size());
  for (const auto& entry : tensors) {
    const auto& name = entry.first;
    const auto& tensor = entry.second;
    CAPTURE(name);
    const Tensor& got = read.tensors.at(name);
    CHECK(got.shape() == tensor.shape());
    CHECK(got.dtype() == tensor.dtype());
    CHECK(reinterpret_cast<uintptr_t>(got.raw()) % static_cast<size_t>(size_of(got.dtype())) == 0);
    CHECK(std::memcmp(got.raw(), tensor.raw(), static_cast<size_t>(tensor.bytes())) == 0);
  }
}

TEST_CASE("safetensors: equal arguments give equal bytes, the buffer begins at 64") {
  const std::string a = temporary("a.safetensors"), b = temporary("b.safetensors");
  write_safetensors(a, one_of_each_dtype(), {{"k", "v"}});
  write_safetensors(b, one_of_each_dtype(), {{"k", "v"}});
  const auto bytes = read_file(a);
  CHECK(bytes == read_file(b));
  uint64_t header_size = 0;
  std::memcpy(&header_size, bytes.data(), 8);
  CHECK((8 + header_size) % 64 == 0);
  CHECK_THROWS_AS(write_safetensors(a, {{"\xff", Tensor({1})}}), Error);
  CHECK_THROWS_AS(write_safetensors(a, {{"__metadata__", Tensor({1})}}), Error);
  CHECK_THROWS_AS(write_safetensors(a, {{"default", Tensor()}}), Error);
  CHECK(bytes == read_file(a));  // a refused write leaves the old file
}

TEST_CASE("safetensors: unaligned tensors are copied, views keep the memory alive") {
  const std::string header = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                             R"("b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})";
  const float value = 1.5f;
  std::string buffer(5, '\x07');
  std::memcpy(&buffer[1], &value, 4);
  Tensor a, b;
  {
    const SafetensorsFile file = parse(raw_file(header, buffer));
    a = file.tensors.at("a"), b = file.tensors.at("b");
  }
  CHECK(a.data<uint8_t>()[0] == 7);
  CHECK(b.data()[0] == 1.5f);
  CHECK(reinterpret_cast<uintptr_t>(b.raw()) % 4 == 0);
}

TEST_CASE("safetensors: a file cut anywhere is refused") {
  const std::string path = temporary("cut.safetensors");
  write_safetensors(path, {{"w", Tensor({4, 4})}, {"b", Tensor({3}, DType::u8)}});
  const auto whole = read_file(path);
  for (size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK(error_of(std::vector<uint8_t>(whole.begin(), whole.begin() + size)) != "no error");
  }
  auto longer = whole;
  longer.push_back(0);
  contains(error_of(longer), "the tensors take 67 bytes, the file holds 68");
}

TEST_CASE("safetensors: absurd headers are refused with the reason") {
  auto huge = raw_file("{}");
  for (uint64_t size : {uint64_t{3}, uint64_t{100'000'001}, UINT64_MAX, UINT64_MAX - 7}) {
    std::memcpy(huge.data(), &size, 8);
    contains(error_of(huge), "does not fit the file");
  }
  contains(error_of(""), "'{'");
  contains(error_of("[]"), "'{'");
  contains(error_of(" {}"), "'{'");
  contains(error_of("{"), "not JSON");
  contains(error_of("{} {}"), "not JSON");
  contains(error_of("{\"\xff\":1}"), "not JSON");
  contains(error_of(R"({"a":1e999})"), "not JSON");
  contains(error_of(R"({"a":3})"), "expected an object");
  contains(error_of(R"({"a\n":null})"), "'a?'");
  contains(error_of(R"({"a":{}})"), "expected dtype, shape and data_offsets");
  contains(error_of(R"({"__metadata__":{"a":1}})"), "unexpected the number 1");
  contains(error_of(R"({"__metadata__":{"a":{}}})"), "unexpected an object");
  contains(error_of(R"({"__metadata__":{"a":"","a":""}})"), "twice");
  CHECK(parse(raw_file("{}   ")).tensors.empty());
}

TEST_CASE("safetensors: entries that do not fit are refused with the tensor's name") {
  const auto entry = [](const std::string& dtype, const std::string& shape,
                        const std::string& offsets, size_t buffer) {
    const std::string error = error_of(R"({"a.b":{"dtype":)" + dtype + R"(,"shape":)" + shape +
                                           R"(,"data_offsets":)" + offsets + "}}",
                                       std::string(buffer, 0));
    contains(error, "'a.b'");
    return error;
  };
  contains(entry(R"("F8_E4M3")", "[1]", "[0,1]", 1), "unknown dtype 'F8_E4M3'");
  contains(entry(R"("F32")", "[2]", "[0,4]", 4), "F32 (2) needs 8 bytes, data_offsets give 4");
  contains(entry(R"("F32")", "[-1]", "[0,4]", 4), "the number -1");
  contains(entry(R"("F32")", "[1.0]", "[0,4]", 4), "the number 1.0");
  contains(entry(R"("F32")", "[1]", "[4,0]", 4), "outside");
  contains(entry(R"("F32")", "[1]", "[0,18446744073709551615]", 4), "outside");
  contains(entry(R"("F32")", "[1]", "[0,4,8]", 4), "two data_offsets");
  contains(entry(R"("F32")", "[[1]]", "[0,4]", 4), "unexpected an array");
  contains(entry(R"("F32")", "{}", "[0,4]", 4), "unexpected an object");
  contains(entry(R"(["F32"])", "[1]", "[0,4]", 4), "unexpected an array");
  contains(entry(R"("F32")", "[4294967296,4294967296]", "[0,0]", 0), "over 2^64");
  contains(entry(R"("F32")", "[18446744073709551615]", "[0,0]", 0), "too large");
  contains(entry(R"("F32")", "[4611686018427387904,4,0]", "[0,0]", 0), "overflows");
  contains(entry(R"("F32")", "[1]", "[4,8]", 8), "(a hole)");
}

TEST_CASE("safetensors: duplicates, holes, overlaps and depth bombs are refused") {
  const std::string a = R"("a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]})";
  const auto b = [](const char* offsets) {
    return str_cat(R"("b":{"dtype":"U8","shape":[2],"data_offsets":)", offsets, "}");
  };
  contains(error_of("{" + a + "," + a + "}", "xx"), "'a' is there twice");
  contains(error_of(R"({"a":{"dtype":"U8","dtype":"U8"}})"), "'dtype' is there twice");
  contains(error_of(R"({"a":{"extra":1}})"), "got 'extra'");
  contains(error_of("{" + a + "," + b("[1,3]") + "}", "xxx"), "(an overlap)");
  contains(error_of("{" + a + "," + b("[3,5]") + "}", "xxxxx"), "(a hole)");
  contains(error_of("{" + a + "," + b("[2,4]") + "}", "xxxxx"), "the file holds 5");
  CHECK(parse(raw_file("{" + b("[2,4]") + "," + a + "}", "xxxx")).tensors.size() == 2);
  std::string deep = "{\"a\":";
  for (int i = 0; i < 1'000'000; ++i) deep += "[";
  contains(error_of(deep), "expected an object");
  deep = "";
  for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
  contains(error_of(deep), "got 'a'");
}

TEST_CASE("safetensors: mutated files either load or throw Error") {
  const std::string path = temporary("fuzz.safetensors");
  write_safetensors(path, one_of_each_dtype(), {{"format", "pt"}});
  const auto whole = read_file(path);
  uint64_t size = 0;
  std::memcpy(&size, whole.data(), 8);
  const std::string header(whole.begin() + 8, whole.begin() + 8 + static_cast<int64_t>(size));
  const std::string buffer(whole.begin() + 8 + static_cast<int64_t>(size), whole.end());
  const int64_t count = mutation_count(2000);
  int64_t loaded = 0;
  for (int64_t round = 0; round < count; ++round) {
    CAPTURE(round);
    Random random(7, static_cast<uint64_t>(round));
    std::string text = header, data = buffer;
    if (random.below(4) != 0) mutate_header(text, random);
    if (random.below(8) == 0) data.resize(static_cast<size_t>(random.below(2000)));
    auto bytes = raw_file(text, data);
    if (random.below(4) == 0) mutate_bytes(bytes, random);
    loaded +=
        survives(bytes, [](const MappedFile& file) { return parse_safetensors(file).tensors; });
  }
  MESSAGE(count << " mutated files, " << loaded << " of them loaded");
  CHECK(loaded > count / 20);
  CHECK(loaded < count);
}

TEST_CASE("safetensors: the published SqueezeNet file loads") {
  const std::string path =
      std::string(LIMBIC_SOURCE_DIR) + "/../shared/data/weights/squeezenet1_1.safetensors";
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: " << path << " is not there");
    return;
  }
  const Checkpoint checkpoint = read_checkpoint(path);
  CHECK(checkpoint.tensors.size() == 52);
  CHECK(checkpoint.tensors.at("classifier.1.weight").shape() == Shape{1000, 512, 1, 1});
  CHECK(sha256(checkpoint.file.bytes) == sha256_of_file(path));
}

TEST_CASE("checkpoint: other formats are named in a plain sentence") {
  const auto error = [](const std::string& content) {
    const std::string path = temporary("other.pth");
    write_atomically(path, [&](std::ostream& out) { out << content; });
    try {
      read_checkpoint(path);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  contains(error(std::string("PK\x03\x04") + "xxxxxxxx"), "without its directory");
  contains(error("\x89HDF\r\n\x1a\n0000"), "this is Keras' (HDF5)");
  {
    const WithKeras reader;
    contains(error("\x89HDF\r\n\x1a\n0000"), "HDF5 superblock at byte 0");
  }
  contains(error("\x80\x02]q.xxxxxx"), "a Python pickle that torch.save did not write");
  contains(error("version https://git-lfs.github.com/spec/v1"), "Git LFS");
  contains(error(""), "0 bytes");
  contains(error("hello world, this is text"), "does not fit the file");
  CHECK_THROWS_AS(read_checkpoint("/nonexistent"), Error);
  CHECK_THROWS_AS(read_checkpoint("/tmp"), Error);
}

TEST_CASE("safetensors: a header takes memory in proportion to the file") {
  std::string header = "{";
  for (int i = 0; i < 400000; ++i)
    header += str_cat(i ? "," : "", "\"", i,
                      "\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}");
  CHECK(error_of(header + "}").find("more memory than a file of its size may") !=
        std::string::npos);
  std::string some = "{";
  for (int i = 0; i < 20000; ++i)
    some += str_cat(i ? "," : "", "\"", i,
                    "\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}");
  CHECK(error_of(some + "}") == "no error");
}
