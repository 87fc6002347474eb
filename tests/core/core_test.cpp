#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "limbic/core/json_numbers.h"
#include "limbic/core/parallel.h"
#include "limbic/core/random.h"
#include "limbic/core/tensor.h"

using namespace limbic;

TEST_CASE("tensor: copies share, clones do not, views keep their owner") {
  Tensor a = Tensor::of(std::vector<float>{1, 2, 3, 4, 5, 6}, {3, 2});
  const Tensor shared = a, own = a.clone();
  a.data()[0] = 9;
  CHECK(shared.data()[0] == 9);
  CHECK(own.data()[0] == 1);
  Tensor rows = a.rows(1, 3);
  a = Tensor();
  CHECK(rows.shape() == Shape{2, 2});
  CHECK(rows.data()[0] == 3);
  CHECK(reinterpret_cast<uintptr_t>(own.raw()) % 64 == 0);
}

TEST_CASE("tensor: wrong use is an error that says what came") {
  const Tensor t({2, 3});
  CHECK_THROWS_WITH_AS(t.reshape({4}), "cannot reshape (2,3) to (4)", Error);
  CHECK_THROWS_WITH_AS(t.data<int64_t>(), "tensor of shape (2,3) holds F32, not I64", Error);
  CHECK_THROWS_AS(count({int64_t{1} << 40, int64_t{1} << 40}), Error);
  CHECK_THROWS_AS(count({-1}), Error);
  CHECK_THROWS_AS(Tensor({int64_t{1} << 62}), Error);
}

TEST_CASE("error: a message that quotes a long file keeps its beginning and its end") {
  const auto message = [](const std::string& quoted) {
    try {
      fail("x: damaged at '", quoted, "'; fetch it again");
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(message("a") == "x: damaged at 'a'; fetch it again");
  for (const char* letter : {"a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"})
    for (size_t shift = 0; shift < 4; ++shift) {
      std::string text(shift, 'b');
      while (text.size() < 100'000) text += letter;
      const std::string said = message(text);
      CHECK(said.size() < 1500);
      CHECK(said.starts_with("x: damaged at '"));
      CHECK(said.ends_with("'; fetch it again"));
      const size_t cut = said.find(" ... ");
      REQUIRE(cut != std::string::npos);
      CHECK((cut - 15 - shift) % std::string_view(letter).size() == 0);
      CHECK((said[cut + 5] & 0xc0) != 0x80);
    }
}

TEST_CASE("parallel: each index once, exceptions come back") {
  for (int64_t n : {0, 1, 2, 3, 1000}) {
    std::vector<std::atomic<int>> seen(static_cast<size_t>(n));
    parallel_for(n, [&](int64_t i) { ++seen[static_cast<size_t>(i)]; });
    parallel_for_dynamic(n, [&](int64_t i) { ++seen[static_cast<size_t>(i)]; });
    for (auto& s : seen) CHECK(s == 2);
  }
  CHECK_THROWS_WITH_AS(parallel_for(100, [](int64_t i) { require(i != 77, "at ", i); }), "at 77",
                       Error);
  CHECK(available_cores() >= 1);
}

TEST_CASE("bfloat16: to the nearest, ties to even, and a NaN stays one") {
  const auto narrow = [](uint32_t bits) {
    return from_f32<BFloat16>(std::bit_cast<float>(bits)).bits;
  };
  CHECK(narrow(0x3f808000) == 0x3f80);
  CHECK(narrow(0x3f818000) == 0x3f82);
  CHECK(narrow(0x3f808001) == 0x3f81);
  CHECK(narrow(0x7f800000) == 0x7f80);
  for (const uint32_t nan : {0x7fffffffu, 0xffffffffu, 0x7f800001u, 0xff80ffffu, 0x7fc00000u}) {
    CAPTURE(nan);
    CHECK(std::isnan(to_f32(BFloat16{narrow(nan)})));
    CHECK((narrow(nan) >> 15) == static_cast<int>(nan >> 31));
  }
}

TEST_CASE("philox: the known answers of the paper's reference implementation") {
  CHECK(philox(0, 0, 0) == std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox(~0ull, ~0ull, ~0ull) ==
        std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
}

TEST_CASE("random: moments, and a shuffle is a permutation") {
  Random random(1, 2);
  double sum = 0, squares = 0;
  constexpr int n = 200000;
  for (int i = 0; i < n; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
  }
  CHECK(std::abs(sum / n) < 0.01);
  CHECK(std::abs(squares / n - 1) < 0.02);
  std::vector<int> items(100);
  for (int i = 0; i < 100; ++i) items[static_cast<size_t>(i)] = i;
  random.shuffle(items);
  CHECK(std::set<int>(items.begin(), items.end()).size() == 100);
  CHECK(items[0] + items[1] * 100 != 100);
}

TEST_CASE("json: what nests without end is refused before anybody recurses over it") {
  using nlohmann::json;
  const std::string deep(3'000'000, '[');
  CHECK_THROWS_WITH_AS(parse_json<json>(deep, "x"), "x: is nested over 100 deep", Error);
  CHECK(try_parse_json<json>(deep).is_discarded());
  CHECK_THROWS_AS(parse_json<json>(std::string("[1"), "x"), json::parse_error);
  CHECK(try_parse_json<json>(std::string("[1")).is_discarded());
  const std::string nested = std::string(90, '[') + "1" + std::string(90, ']');
  CHECK(parse_json<json>(nested, "x").dump() == nested);
}

TEST_CASE("json: whole numbers up to both ends, and what is none") {
  using nlohmann::json;
  CHECK(whole_number(json(2), "n", 2, 5) == 2);
  CHECK(whole_number(json(5.0), "n", 2, 5) == 5);
  for (const json& wrong : {json(1), json(6), json(2.5), json("3"), json(nullptr), json(1e300)})
    CHECK_THROWS_AS(whole_number(wrong, "n", 2, 5), Error);
}
