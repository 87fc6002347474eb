#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <ostream>
#include <set>

#include "nn/core/file.h"
#include "nn/core/gemm.h"
#include "nn/core/parallel.h"
#include "nn/core/random.h"
#include "nn/core/tensor.h"

namespace fs = std::filesystem;
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

TEST_CASE("gemm: against the definition, with strides and transposes") {
  const int64_t m = 5, n = 7, k = 3;
  Random random(3);
  std::vector<double> a(static_cast<size_t>(k * 9)), b(static_cast<size_t>(k * 11));
  for (auto& x : a) x = random.normal();
  for (auto& x : b) x = random.normal();
  std::vector<double> c(static_cast<size_t>(m * n), 0.5);
  // a is stored (k, m) with stride 9 and read transposed; b is stored (k, n) with stride 11.
  gemm(2.0, Matrix<const double>{a.data(), k, m, 9}.t(), Matrix<const double>{b.data(), k, n, 11},
       1.0, Matrix<double>{c.data(), m, n, n});
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0.5;
      for (int64_t p = 0; p < k; ++p)
        sum += 2 * a[static_cast<size_t>(p * 9 + i)] * b[static_cast<size_t>(p * 11 + j)];
      CHECK(c[static_cast<size_t>(i * n + j)] == doctest::Approx(sum));
    }
  CHECK_THROWS_AS(
      gemm(1.0, Matrix<const double>{a.data(), 2, 2, 2}, Matrix<const double>{b.data(), 3, 2, 2},
           0.0, Matrix<double>{c.data(), 2, 2, 2}),
      Error);
}

TEST_CASE("file: an interrupted write leaves the old file and no other") {
  const fs::path dir = fs::temp_directory_path() / "limbic_core_test";
  fs::create_directories(dir);
  const std::string path = (dir / "a.txt").string();
  write_atomically(path, [](std::ostream& out) { out << "abc"; });
  CHECK_THROWS_AS(write_atomically(path,
                                   [](std::ostream& out) {
                                     out << "half";
                                     fail("interrupted");
                                   }),
                  Error);
  CHECK(read_file(path) == std::vector<uint8_t>{'a', 'b', 'c'});
  CHECK(sha256_of_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(std::distance(fs::directory_iterator(dir), {}) == 1);
  CHECK_THROWS_AS(write_atomically((dir / "none/a.txt").string(), [](std::ostream&) {}), Error);
  CHECK_THROWS_WITH_AS(read_file("no/such/file"),
                       "no/such/file: cannot open: No such file or directory", Error);
  CHECK_THROWS_AS(read_file(dir.string()), Error);
  CHECK_THROWS_AS(read_file(path, 2), Error);
  fs::remove_all(dir);
}

TEST_CASE("file: mapped memory that was released is read again, other memory is left alone") {
  const std::string path = (fs::temp_directory_path() / "limbic_release_test.bin").string();
  write_atomically(path, [](std::ostream& out) { out << std::string(1 << 16, 'x'); });
  const MappedFile file = map_file(path);
  release_mapped(file.bytes.data() + 100, 60000);
  for (uint8_t byte : file.bytes) REQUIRE(byte == 'x');
  file.require_intact();
  const std::string own(1 << 16, 'y');
  release_mapped(own.data(), std::ssize(own));
  CHECK(own == std::string(1 << 16, 'y'));
  fs::remove(path);
}

TEST_CASE("file: one that is cut while it is mapped reads as zeros and says so") {
  const std::string path = (fs::temp_directory_path() / "limbic_cut_test.bin").string();
  write_atomically(path, [](std::ostream& out) { out << std::string(1 << 16, 'x'); });
  {
    const MappedFile file = map_file(path);
    CHECK(file.bytes[100] == 'x');
    file.require_intact();
    fs::resize_file(path, 100);
    CHECK(file.bytes[50000] == 0);
    CHECK_THROWS_AS(file.require_intact(), Error);
  }
  CHECK_THROWS_AS(map_file("/dev/null"), Error);
  fs::remove(path);
}

TEST_CASE("file: a full disk is an error" * doctest::skip(!fs::exists("/dev/full"))) {
  CHECK_THROWS_AS(read_file("/dev/full"), Error);
}
