#include "limbic/weights/compare.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace limbic;
using namespace limbic::weights;

namespace {

Tensor of(const std::vector<float>& values) {
  return Tensor::of<float>(values, {static_cast<int64_t>(values.size())});
}

}  // namespace

TEST_CASE("compare: max, mean and relative difference, and the first that parts") {
  const std::map<std::string, Tensor> ours = {
      {"a", of({1, 2})}, {"b", of({3, 4.5f})}, {"c", of({0})}, {"d", of({1})}};
  const std::map<std::string, Tensor> reference = {
      {"a", Tensor::of<double>(std::vector<double>{1, 2}, {2})},
      {"b", of({3, 4})},
      {"c", of({0})},
      {"d", of({2})}};
  const Comparison all = compare_tensors({"c", "a", "b", "d"}, ours, reference, 0.01);
  REQUIRE(all.differences.size() == 4);
  CHECK(all.differences[0].relative == 0);
  CHECK(all.differences[1].max == 0);
  CHECK(all.differences[2].name == "b");
  CHECK(all.differences[2].max == 0.5);
  CHECK(all.differences[2].mean == 0.25);
  CHECK(all.differences[2].relative == doctest::Approx(0.1));
  CHECK(all.first_apart == 2);
  CHECK(!compare_tensors({"c", "a"}, ours, reference, 0).first_apart.has_value());
  CHECK(compare_tensors({"d"}, ours, reference, 0.5).first_apart == std::nullopt);
  CHECK(compare_tensors({"d"}, ours, reference, 0.49).first_apart == 0);
}

TEST_CASE("compare: what cannot be compared parts") {
  const std::map<std::string, Tensor> ours = {{"shape", Tensor({3, 4})},
                                              {"count", Tensor({2}, DType::i64)},
                                              {"nan", of({NAN, 1})},
                                              {"both", of({NAN, 1})},
                                              {"same", of({1, -INFINITY})},
                                              {"zero", of({1e-30f})},
                                              {"half", Tensor({2}, DType::f16)},
                                              {"extra", of({1})}};
  const std::map<std::string, Tensor> reference = {{"shape", Tensor({3, 5})},
                                                   {"count", Tensor({2}, DType::i64)},
                                                   {"nan", of({0, 1})},
                                                   {"both", of({NAN, 1})},
                                                   {"same", of({1, -INFINITY})},
                                                   {"zero", of({0})},
                                                   {"half", Tensor({2}, DType::bf16)},
                                                   {"missing", of({1})}};
  const auto one = [&](const std::string& name) {
    return compare_tensors({name}, ours, reference, 1e-3);
  };
  CHECK(one("shape").differences[0].reason == "(3,4) and (3,5)");
  CHECK(one("count").differences[0].reason == "I64 and I64");
  CHECK(one("extra").differences[0].reason == "missing in the reference");
  CHECK(one("missing").differences[0].reason == "missing");
  for (const char* name : {"shape", "count", "extra", "missing", "nan", "both", "zero"}) {
    CAPTURE(name);
    CHECK(one(name).first_apart == 0);
    CHECK(std::isinf(one(name).differences[0].relative));
  }
  for (const char* name : {"same", "half"}) CHECK(!one(name).first_apart.has_value());
}

TEST_CASE("compare: doubles whose squares overflow or vanish") {
  for (const double size : {1e200, 1e-170, 1e300, 4e-320, 1.0}) {
    CAPTURE(size);
    const auto pair = [&](double a, double b) {
      return Tensor::of<double>(std::vector<double>{a * size, b * size}, {2});
    };
    const Comparison c = compare_tensors({"x"}, {{"x", pair(3, 4.5)}}, {{"x", pair(3, 4)}}, 0.01);
    CHECK(c.differences[0].relative == doctest::Approx(0.1).epsilon(1e-3));
    CHECK(c.differences[0].max == doctest::Approx(0.5 * size).epsilon(1e-3));
    CHECK(c.first_apart == 0);
    CHECK_FALSE(compare_tensors({"x"}, {{"x", pair(3, 4)}}, {{"x", pair(3, 4)}}, 0).first_apart);
  }
}
