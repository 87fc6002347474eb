#include "limbic/core/file.h"
#include "limbic/hash/hash.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <locale>
#include <ostream>
#include <thread>

#include "limbic/core/error.h"
#include "limbic/core/parameters.h"
#include "tests/temporary.h"
#include "tests/text.h"

namespace fs = std::filesystem;
using namespace limbic;
using testing::TemporaryFolder;
using testing::text_of;

namespace {

void write(const std::string& path, const std::string& text) {
  write_atomically(path, [&](std::ostream& out) { out << text; });
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

int64_t files_in(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), {});
}

mode_t mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

struct Comma : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

}  // namespace

TEST_CASE("file: an interrupted write leaves the old file and no other") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.txt";
  write(path, "abc");
  const auto interrupted = [](std::ostream& out) {
    out << "half";
    fail("interrupted");
  };
  CHECK_THROWS_AS(write_atomically(path, interrupted), Error);
  CHECK(text_of(path) == "abc");
  CHECK(sha256_of_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(files_in(folder.path) == 1);
  CHECK_THROWS_AS(write(folder / "none/a.txt", ""), Error);
  CHECK_THROWS_WITH_AS(read_file("no/such/file"),
                       "no/such/file: cannot open: No such file or directory", Error);
  CHECK_THROWS_AS(read_file(folder.path), Error);
  CHECK_THROWS_AS(read_file(path, 2), Error);
}

TEST_CASE("file: a disk that fills up, at the last write too, leaves the old file") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.txt";
  write(path, "abc");
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit full{4096, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &full) == 0);
  std::vector<std::string> messages;
  for (const size_t size : {5000, 100000})  // the stream's buffer holds the first whole
    messages.push_back(error_of([&] { write(path, std::string(size, 'x')); }));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  for (const std::string& message : messages)
    CHECK(message == path + ": cannot write: File too large");
  CHECK(text_of(path) == "abc");
  CHECK(files_in(folder.path) == 1);
}

TEST_CASE("file: many threads may write one path, each file whole") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.txt";
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (const char letter : {'a', 'b', 'c'})
    threads.emplace_back([&, letter] {
      for (int round = 0; round < 40; ++round)
        failures += error_of([&] { write(path, std::string(20000, letter)); }) != "";
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  const std::string text = text_of(path);
  CHECK(text == std::string(20000, text.at(0)));
  CHECK(files_in(folder.path) == 1);
}

TEST_CASE("file: a name may be as long as the system allows") {
  const TemporaryFolder folder;
  for (const size_t letters : {1, 199, 200, 201, 250, 255}) {
    const std::string path = folder / std::string(letters, 'n');
    CHECK(error_of([&] { write(path, "abc"); }) == "");
    CHECK(text_of(path) == "abc");
  }
  CHECK(files_in(folder.path) == 6);
}

TEST_CASE("file: replacing keeps the mode, and what is read-only is not replaced") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.txt";
  const mode_t mask = ::umask(022);
  write(path, "abc");
  CHECK(mode_of(path) == 0644);
  for (const mode_t mode : {0600, 0640, 0666, 0755, 0200}) {
    CAPTURE(mode);
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    write(path, str_cat(mode));
    CHECK(mode_of(path) == mode);
  }
  ::umask(mask);
  REQUIRE(::chmod(path.c_str(), 0444) == 0);
  CHECK(error_of([&] { write(path, "new"); }) ==
        path + ": cannot write: it is there already and is read-only");
  CHECK(text_of(path) == str_cat(mode_t{0200}));
  CHECK(mode_of(path) == 0444);
  CHECK(files_in(folder.path) == 1);
}

TEST_CASE("file: numbers are written alike wherever the host program runs") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.csv";
  const std::locale before = std::locale::global(std::locale(std::locale(), new Comma));
  write_atomically(path, [](std::ostream& out) { out << 1.5 << ',' << 10000; });
  const std::string joined = str_cat(1.5, ' ', 10000);
  std::locale::global(before);
  CHECK(text_of(path) == "1.5,10000");
  CHECK(joined == "1.5 10000");
}

TEST_CASE("file: mapped memory that was released is read again, other memory is left alone") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.bin";
  write(path, std::string(1 << 16, 'x'));
  const MappedFile file = map_file(path);
  release_mapped(file.bytes.data() + 100, 60000);
  for (uint8_t byte : file.bytes) REQUIRE(byte == 'x');
  file.require_intact();
  const std::string own(1 << 16, 'y');
  release_mapped(own.data(), std::ssize(own));
  CHECK(own == std::string(1 << 16, 'y'));
}

TEST_CASE("file: one that is cut while it is mapped reads as zeros and says so") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.bin";
  for (const uintmax_t left : {100, 61440, 65000, 65535}) {  // the last two within the last page
    CAPTURE(left);
    write(path, std::string(1 << 16, 'x'));
    const MappedFile file = map_file(path);
    CHECK(file.bytes[100] == 'x');
    file.require_intact();
    fs::resize_file(path, left);
    CHECK(file.bytes[65535] == 0);
    CHECK_THROWS_WITH_AS(file.require_intact(),
                         (path + ": was cut while it was read, expected 65536 bytes").c_str(),
                         Error);
  }
  // One that is replaced is another file: what was mapped stays.
  write(path, std::string(1 << 16, 'x'));
  const MappedFile file = map_file(path);
  write(path, "short");
  file.require_intact();
  CHECK(file.bytes[65535] == 'x');
  CHECK_THROWS_AS(map_file("/dev/null"), Error);
}

TEST_CASE("file: threads that map and let go do not take each other's places") {
  const TemporaryFolder folder;
  std::atomic<int> unnoticed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      const std::string path = folder / str_cat(t);
      for (int round = 0; round < 500; ++round) {
        std::ofstream(path, std::ios::binary) << std::string(8192, 'x');
        const MappedFile file = map_file(path);
        fs::resize_file(path, 100);
        unnoticed += file.bytes[8000] != 0;  // a place of another thread's would end the process
        unnoticed += error_of([&] { file.require_intact(); }) == "";
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(unnoticed == 0);
}

TEST_CASE("file: parameters keep a file for as long as one of them is a view of it") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.bin";
  write(path, std::string(4096, '\0'));
  Parameters parameters;
  parameters.add("w", Tensor({1024}), true);
  const auto share = [&] {
    const MappedFile file = map_file(path);
    parameters.adopt("w", Tensor::view(file.bytes.data(), {1024}, DType::f32, file.owner));
    parameters.keep(file);
  };
  for (int i = 0; i < 200; ++i) share();  // more than can be mapped at once
  parameters.require_intact();
  fs::resize_file(path, 100);
  CHECK_THROWS_AS(parameters.require_intact(), Error);
  parameters.set("w", Tensor({1024}));
  parameters.require_intact();  // nothing is read from the file any more
  std::vector<MappedFile> files;
  for (int i = 0; i < 64; ++i) files.push_back(map_file(path));
  CHECK(error_of([&] { map_file(path); }).find("more than 64") != std::string::npos);
}

// Runs in a process of its own, where no file has been mapped yet.
TEST_CASE("file: child of the next test" * doctest::skip()) {
  const TemporaryFolder folder;
  write(folder / "a.bin", "abc");
  std::signal(SIGBUS, [](int) { ::_exit(42); });
  const MappedFile file = map_file(folder / "a.bin");
  std::raise(SIGBUS);
}

TEST_CASE("file: a bus error that is not ours goes to the handler that was there before") {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::execl("/proc/self/exe", "test_core", "-tc=file: child of the next test", "-ns", nullptr);
    ::_exit(1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 42);
}

TEST_CASE("file: a full disk is an error" * doctest::skip(!fs::exists("/dev/full"))) {
  CHECK_THROWS_AS(read_file("/dev/full"), Error);
}
