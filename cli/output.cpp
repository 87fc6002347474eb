#include "limbic/cli/output.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "limbic/cli/console.h"
#include "limbic/core/error.h"

namespace limbic::cli {
namespace fs = std::filesystem;

void require_writable(const std::string& path) {
  if (path.empty()) return;
  std::error_code error;
  require(!fs::is_directory(path, error), path, ": is a folder, expected a file to write");
  if (fs::exists(path, error)) {
    require(::access(path.c_str(), W_OK) == 0, path, ": cannot be written: ", std::strerror(errno));
    return;
  }
  const std::string folder = fs::path(path).parent_path().string();
  require(::access(folder.empty() ? "." : folder.c_str(), W_OK) == 0, path,
          ": cannot be written there: ", std::strerror(errno));
}

OutputFolder::OutputFolder(const std::string& dir, bool resume, bool force) : dir_(dir) {
  std::error_code error;
  if (!communicator().leads()) {
    communicator().barrier();
    dir_ = (fs::temp_directory_path(error) / "limbic-XXXXXX").string();
    require(::mkdtemp(dir_.data()) != nullptr, dir_, ": cannot be made: ", std::strerror(errno));
    return;
  }
  fs::create_directories(dir, error);
  require(!error, dir, ": cannot make the folder: ", error.message());
  require(::access(dir.c_str(), W_OK | X_OK) == 0, dir,
          ": cannot be written: ", std::strerror(errno));
  lock_ = ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_ >= 0 && ::flock(lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(lock_);
    fail(dir, ": another limbic is writing there; wait for it, or choose another --out");
  }
  const auto refuse = [&](const char* what) {
    ::close(lock_);
    fail(dir, ": holds ", what,
         "; --resume goes on with it, --force starts afresh, and another "
         "--out leaves it alone");
  };
  const auto has = [&](const char* name) { return fs::exists(fs::path(dir) / name, error); };
  if (!resume && !force) {
    if (has("model.json")) refuse("a model");
    for (const char* name : {"weights", "training", "sweep.jsonl", "journal.jsonl", "results.csv"})
      if (has(name)) refuse("a run");
  }
  if (force && !resume)
    for (const char* name : {"weights/last.safetensors", "weights/best.safetensors", "training",
                             "sweep.jsonl", "journal.jsonl", "reads.tsv", "results.csv"})
      fs::remove_all(fs::path(dir) / name, error);
  communicator().barrier();
}

OutputFolder::~OutputFolder() {
  if (std::error_code ignored; !communicator().leads()) {
    fs::remove_all(dir_, ignored);
    return;
  }
  ::rmdir(dir_.c_str());
  ::close(lock_);
}

}  // namespace limbic::cli
