#pragma once
// Every reader of what users hand in, as a function of one file's bytes. libFuzzer drives them
// (fuzz.cpp, `scripts/fuzz.sh`) and so does `make test`, without it (replay_test.cpp).
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "limbic/core/file.h"
#include "limbic/core/tensor.h"

namespace limbic::fuzz {

using Bytes = std::vector<uint8_t>;

struct Target {
  std::string name;
  std::function<void(const Bytes&)> read;  ///< Throws what the reader throws.
  std::function<std::vector<Bytes>()> seeds;
  int64_t megabytes = 96;  ///< Of memory that reading may take, beside twice the file.
};

/// All of them; throws std::out_of_range for another name.
const std::vector<Target>& targets();
const Target& target(const std::string& name);

/// "" where the target reads the bytes or throws one line as Error, else what it did: another
/// exception, a message of several lines or of more than 2,000 bytes, more than 5 seconds, more
/// memory than there is, which the caller limits.
std::string fault(const Target& target, const Bytes& bytes);

/// Changes a file: mutate_bytes (tests/weights/mutations.h), or a run of it repeated until it has
/// up to `most` bytes, which is what finds recursion.
void mutate(Bytes& bytes, uint64_t seed, size_t most);

// A family a file.
std::vector<Target> picture_targets();
std::vector<Target> checkpoint_targets();
std::vector<Target> keras_targets();
std::vector<Target> json_targets();
std::vector<Target> svm_targets();
std::vector<Target> text_targets();
std::vector<Target> folder_targets();
#ifdef LIMBIC_SERVE
std::vector<Target> server_targets();
#endif

/// The bytes as a file without a folder, for readers that take a path; gone with this.
class MemoryFile {
 public:
  explicit MemoryFile(const Bytes& bytes);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const;

 private:
  int fd_;
};

/// A folder in memory that lives as long as the process.
class MemoryFolder {
 public:
  MemoryFolder();
  ~MemoryFolder();
  MemoryFolder(const MemoryFolder&) = delete;
  MemoryFolder& operator=(const MemoryFolder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  void write(const std::string& name, const Bytes& bytes) const;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Bytes bytes_of(const std::string& text);
std::string text_of(const Bytes& bytes);
/// Files of tests/goldens, by path below it.
std::vector<Bytes> goldens(const std::vector<std::string>& names);
/// Those below `folder` whose name ends so.
std::vector<Bytes> goldens_in(const std::string& folder, const std::string& ending);
/// Reads every byte of each, as whoever loads them does.
void read_all(const std::map<std::string, Tensor>& tensors);

}  // namespace limbic::fuzz
