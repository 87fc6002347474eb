#include "tests/fuzz/target.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <new>
#include <numeric>
#include <stdexcept>

#include "limbic/core/error.h"
#include "tests/weights/mutations.h"

namespace limbic::fuzz {
namespace fs = std::filesystem;
namespace {

// Of this thread, so that a busy machine makes no fault.
double processor_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::string wrong_message(const std::string& message) {
  if (message.find('\n') != std::string::npos) return "a message of several lines: " + message;
  if (message.size() > 2000) return str_cat("a message of ", message.size(), " bytes");
  if (message.starts_with("out of memory")) return "memory: " + message;
  return message.empty() ? "an empty message" : "";
}

std::string wrong_outcome(const Target& target, const Bytes& bytes) {
  try {
    target.read(bytes);
  } catch (const Error& error) {
    return wrong_message(error.what());
  } catch (const std::bad_alloc&) {
    return "memory";
  } catch (const std::exception& error) {
    return str_cat("another exception: ", error.what());
  }
  return "";
}

}  // namespace

const std::vector<Target>& targets() {
  static const std::vector<Target> all = [] {
    std::vector<Target> out;
    for (const auto& family : {picture_targets(), checkpoint_targets(), keras_targets(),
                               json_targets(), svm_targets(), text_targets(), folder_targets()})
      out.insert(out.end(), family.begin(), family.end());
#ifdef LIMBIC_SERVE
    for (const Target& target : server_targets()) out.push_back(target);
#endif
    return out;
  }();
  return all;
}

const Target& target(const std::string& name) {
  const auto& all = targets();
  const auto found = std::ranges::find(all, name, &Target::name);
  if (found == all.end()) throw std::out_of_range("no fuzz target '" + name + "'");
  return *found;
}

std::string fault(const Target& target, const Bytes& bytes) {
  const double start = processor_seconds();
  const std::string wrong = wrong_outcome(target, bytes);
  const double seconds = processor_seconds() - start;
  return wrong.empty() && seconds > 5 ? str_cat("takes ", seconds, " s") : wrong;
}

void mutate(Bytes& bytes, uint64_t seed, size_t most) {
  Random random(seed);
  if (random.below(16) != 0 || bytes.empty()) return mutate_bytes(bytes, random);
  const auto size = static_cast<int64_t>(bytes.size());
  const int64_t at = random.below(size), run = 1 + random.below(std::min<int64_t>(8, size - at));
  const Bytes some(bytes.begin() + at, bytes.begin() + at + run);
  Bytes many;
  while (bytes.size() + many.size() + some.size() <= most)
    many.insert(many.end(), some.begin(), some.end());
  bytes.insert(bytes.begin() + at, many.begin(), many.end());
}

MemoryFile::MemoryFile(const Bytes& bytes) : fd_(::memfd_create("limbic", MFD_CLOEXEC)) {
  const auto size = static_cast<ssize_t>(bytes.size());
  if (fd_ < 0 || ::write(fd_, bytes.data(), bytes.size()) != size) throw std::bad_alloc();
}
MemoryFile::~MemoryFile() { ::close(fd_); }
std::string MemoryFile::path() const { return str_cat("/proc/self/fd/", fd_); }

MemoryFolder::MemoryFolder() : path_("/dev/shm/limbic_fuzz_XXXXXX") {
  require(::mkdtemp(path_.data()) != nullptr, path_, ": cannot be made");
}
MemoryFolder::~MemoryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}
void MemoryFolder::write(const std::string& name, const Bytes& bytes) const {
  fs::create_directories(fs::path(path_ + "/" + name).parent_path());
  std::ofstream out(path_ + "/" + name, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
}

Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }
std::string text_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

std::vector<Bytes> goldens(const std::vector<std::string>& names) {
  std::vector<Bytes> out;
  for (const std::string& name : names)
    out.push_back(read_file(LIMBIC_SOURCE_DIR "/tests/goldens/" + name));
  return out;
}

std::vector<Bytes> goldens_in(const std::string& folder, const std::string& ending) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(LIMBIC_SOURCE_DIR "/tests/goldens/" + folder))
    if (entry.path().string().ends_with(ending))
      names.push_back(folder + "/" + entry.path().filename().string());
  std::ranges::sort(names);
  return goldens(names);
}

void read_all(const std::map<std::string, Tensor>& tensors) {
  for (const auto& [name, tensor] : tensors) {
    const auto* data = static_cast<const uint8_t*>(tensor.raw());
    volatile int64_t sum = std::accumulate(data, data + tensor.bytes(), int64_t{0});
    (void)sum;
  }
}

}  // namespace limbic::fuzz
