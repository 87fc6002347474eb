#include "limbic/weights/load.h"
#include "limbic/core/fingerprint.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "limbic/weights/safetensors.h"
#include "tests/temporary.h"

using namespace limbic;
using namespace limbic::weights;

namespace {

using Tensors = std::map<std::string, Tensor>;

Tensor filled(Shape shape, float value) {
  Tensor out(std::move(shape));
  for (float& x : out.values()) x = value;
  return out;
}

Parameters network() {
  Parameters out;
  out.add("conv.weight", filled({4, 3, 3, 3}, 0), true);
  out.add("bn.running_mean", filled({4}, 0), false);
  out.add("bn.num_batches_tracked", Tensor({}, DType::i64), false);
  out.add("fc.weight", filled({8, 4}, -1), true);
  out.add("fc.bias", filled({8}, -1), true);
  return out;
}

Tensors checkpoint(int64_t classes) {
  return {{"conv.weight", filled({4, 3, 3, 3}, 1)},
          {"bn.running_mean", filled({4}, 2)},
          {"fc.weight", filled({classes, 4}, 3)},
          {"fc.bias", filled({classes}, 4)}};
}

std::string error_of(const Tensors& from, Parameters& into, const LoadOptions& options = {}) {
  try {
    load_parameters(from, into, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("load: every tensor is copied") {
  Parameters into = network();
  const void* memory = into.at("conv.weight").value.raw();
  const Tensors from = checkpoint(8);
  const LoadReport report = load_parameters(from, into);
  CHECK(report.loaded == 4);
  CHECK(into.at("conv.weight").value.raw() != from.at("conv.weight").raw());
  CHECK_FALSE(into.at("conv.weight").shared);
  CHECK(report.replaced.empty());
  CHECK(into.at("conv.weight").value.raw() == memory);
  for (const auto& [name, tensor] : from) CHECK(into.at(name).value.raw() != tensor.raw());
  CHECK(into.at("conv.weight").value.data()[107] == 1);
  CHECK(into.at("fc.bias").value.data()[7] == 4);
}

TEST_CASE("load: missing, unexpected and misshapen names come in one line, nothing changes") {
  Parameters into = network();
  Tensors from = checkpoint(8);
  from.erase("fc.bias");
  from["fc.weight"] = filled({5, 4}, 3);
  from["bn.running_mean"] = Tensor({4}, DType::i32);
  from["other.num_batches_tracked"] = Tensor({}, DType::i64);
  for (int i = 0; i < 11; ++i) from[str_cat("zz", i)] = Tensor({1});
  const std::string error = error_of(from, into, {.source = "a.safetensors"});
  INFO(error);
  CHECK(error.find('\n') == std::string::npos);
  for (const char* part :
       {"a.safetensors does not fit the model: ", "1 missing ('fc.bias')", "11 unexpected ('zz0'",
        " and 3 more)", "2 misshapen (", "'bn.running_mean' expected F32(4) got I32(4)",
        "'fc.weight' expected F32(8,4) got F32(5,4)", "Is this the right --model?"})
    CHECK(error.find(part) != std::string::npos);
  for (const auto& [name, parameter] : into)
    CHECK(fingerprint(parameter.value) == fingerprint(network().at(name).value));
  CHECK(into.at("conv.weight").value.data()[0] == 0);
}

TEST_CASE("load: a classifier of other classes stays fresh, whole, and is reported") {
  Parameters into = network();
  const LoadReport report = load_parameters(checkpoint(1000), into, {.replaceable = {"fc"}});
  CHECK(report.loaded == 2);
  REQUIRE(report.replaced.size() == 2);
  CHECK(report.replaced[1].name == "fc.weight");
  CHECK(report.replaced[1].file == Shape{1000, 4});
  CHECK(report.replaced[1].network == Shape{8, 4});
  CHECK(into.at("fc.weight").value.data()[0] == -1);
  CHECK(into.at("conv.weight").value.data()[0] == 1);
}

TEST_CASE("load: a classifier with other inputs, or one of another name, is an error") {
  Parameters into = network();
  Tensors from = checkpoint(1000);
  CHECK(error_of(from, into, {.replaceable = {"f"}}).find("misshapen") != std::string::npos);
  from["fc.weight"] = filled({1000, 5}, 3);
  CHECK(error_of(from, into, {.replaceable = {"fc"}}).find("misshapen") != std::string::npos);
  CHECK(load_parameters(checkpoint(8), into, {.replaceable = {"fc"}}).replaced.empty());
}

TEST_CASE("load: half precision and doubles become F32 exactly") {
  const auto halves = [](DType dtype, std::vector<uint16_t> bits) {
    Tensor out({static_cast<int64_t>(bits.size())}, dtype);
    std::copy(bits.begin(), bits.end(), static_cast<uint16_t*>(out.raw()));
    return to_f32(out);
  };
  const Tensor f16 = halves(DType::f16, {0x0000, 0x8000, 0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff,
                                         0x0400, 0x7c00, 0xfc00, 0x3555});
  const float expected[] = {0,          -0.0f,    1,        -2,        65504,      0x1p-24f,
                            0x3ffp-24f, 0x1p-14f, INFINITY, -INFINITY, 0x1.554p-2f};
  for (int i = 0; i < 11; ++i) CHECK(f16.data()[i] == expected[i]);
  CHECK(std::signbit(f16.data()[1]));
  CHECK(std::isnan(halves(DType::f16, {0x7e00}).data()[0]));
  const Tensor bf16 = halves(DType::bf16, {0x3f80, 0xc049, 0x0001});
  CHECK(bf16.data()[0] == 1);
  CHECK(bf16.data()[1] == -3.140625f);
  CHECK(bf16.data()[2] == 0x1p-133f);
  CHECK(to_f32(Tensor::of<double>(std::vector<double>{0.1}, {1})).data()[0] == 0.1f);
  CHECK_THROWS_AS(to_f32(Tensor({1}, DType::i32)), Error);

  Parameters into = network();
  Tensors from = checkpoint(8);
  from["bn.running_mean"] = Tensor::of<double>(std::vector<double>{1, 2, 3, 4}, {4});
  load_parameters(from, into);
  CHECK(into.at("bn.running_mean").value.data()[3] == 4);
}

TEST_CASE("load: to_half rounds to the nearest, ties to even, and comes back exactly") {
  // Every F16 that is a number survives the way through F32.
  Tensor halves({1 << 16}, DType::f16);
  auto* bits = static_cast<uint16_t*>(halves.raw());
  int64_t count = 0;
  for (int b = 0; b < 1 << 16; ++b)
    if ((b & 0x7c00) != 0x7c00) bits[count++] = static_cast<uint16_t>(b);
  const Tensor numbers = halves.rows(0, count);
  const Tensor again = to_half(to_f32(numbers), DType::f16, "a");
  CHECK(std::equal(bits, bits + count, static_cast<const uint16_t*>(again.raw())));

  const auto half = [](float x, DType dtype) {
    return static_cast<const uint16_t*>(
        to_half(Tensor::of<float>(std::vector<float>{x}, {1}), dtype, "a").raw())[0];
  };
  CHECK(half(1 + 0x1p-11f, DType::f16) == 0x3c00);  // a tie goes to the even neighbour
  CHECK(half(1 + 3 * 0x1p-11f, DType::f16) == 0x3c02);
  CHECK(half(1 + 0x1.1p-11f, DType::f16) == 0x3c01);
  CHECK(half(0x1p-25f, DType::f16) == 0);
  CHECK(half(0x1.8p-24f, DType::f16) == 2);
  CHECK(half(-65519.0f, DType::f16) == 0xfbff);
  CHECK(half(INFINITY, DType::f16) == 0x7c00);
  CHECK(half(1 + 0x1p-8f, DType::bf16) == 0x3f80);
  CHECK(half(1e38f, DType::bf16) == 0x7e96);
  CHECK_THROWS_AS(half(65520.0f, DType::f16), Error);
  CHECK_THROWS_AS(half(1, DType::f32), Error);
}

TEST_CASE(
    "load: NaN and infinity are refused by name, in weights and statistics, and nothing changes") {
  for (const bool share : {false, true})
    for (const char* name : {"conv.weight", "bn.running_mean", "fc.bias"})
      for (const float value : {NAN, INFINITY, -INFINITY}) {
        CAPTURE(name);
        Parameters into = network();
        Tensors from = checkpoint(8);
        from.at(name).data()[from.at(name).size() - 1] = value;
        const std::string error = error_of(from, into, {.source = "a.pth", .share = share});
        CHECK(error.starts_with(str_cat("a.pth: tensor '", name, "' holds NaN or infinity")));
        for (const auto& [own, parameter] : into)
          CHECK(fingerprint(parameter.value) == fingerprint(network().at(own).value));
      }
  // What becomes infinite as F32 does too; what is not used may hold what it likes.
  Parameters into = network();
  Tensors from = checkpoint(8);
  from["bn.running_mean"] = Tensor::of<double>(std::vector<double>{1, 2, 1e39, 4}, {4});
  CHECK(error_of(from, into).find("'bn.running_mean' holds") != std::string::npos);
  from = checkpoint(1000);
  from.at("fc.bias").data()[3] = NAN;
  CHECK(error_of(from, into, {.replaceable = {"fc"}}) == "no error");
}

TEST_CASE("load: a file that is cut meanwhile is an error") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "a.safetensors";
  write_safetensors(path, checkpoint(8));
  const SafetensorsFile file = read_safetensors(path);
  std::filesystem::resize_file(path, 100);
  Parameters into = network();
  const std::string error = error_of(file.tensors, into, {.file = &file.file});
  CHECK(error.find("was cut while it was read") != std::string::npos);
}
