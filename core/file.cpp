#include "limbic/core/file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <locale>
#include <new>

#include "limbic/core/error.h"

namespace limbic {
namespace {

std::string reason() { return std::strerror(errno); }

// Throws with the system's reason, read only after the call whose result `ok` is.
void require_call(bool ok, const std::string& path, const char* what) {
  if (!ok && errno == ENOMEM) throw std::bad_alloc();  // no fault of the path
  if (!ok) fail(path, ": ", what, ": ", reason());
}

struct Descriptor {
  explicit Descriptor(int descriptor) : fd(descriptor) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd;
};

// Beside `path`, in a name that no other process, thread or host sharing the folder has, and of at
// most 255 bytes however long the name of `path` is.
std::string temporary_beside(const std::string& path) {
  constexpr size_t longest = 200;
  uint64_t random = 0;
  require_call(::getrandom(&random, sizeof random, 0) == sizeof random, path, "cannot write");
  const size_t slash = path.find_last_of('/'), name = slash == std::string::npos ? 0 : slash + 1;
  char ending[24];
  std::snprintf(ending, sizeof ending, ".tmp.%016lx", random);
  return path.substr(0, name) + path.substr(name, longest) + ending;
}

// An empty file of our own; nobody else may read what is going to replace a private one.
int create_beside(const std::string& path, const std::string& temporary) {
  struct stat old {};
  const bool replaces = ::stat(path.c_str(), &old) == 0;
  require(!replaces || S_ISREG(old.st_mode), path,
          ": cannot write: it is there already and is not a regular file");
  // The superuser could, but whoever made it read-only did not mean that.
  require(!replaces || ((old.st_mode & 0222) != 0 && ::access(path.c_str(), W_OK) == 0), path,
          ": cannot write: it is there already and is read-only");
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
  const int fd = ::open(temporary.c_str(), flags, replaces ? 0600 : 0666);
  require_call(fd >= 0, path, "cannot write");
  return fd;
}

// The mode and, where we may give it away, the owner of the file that is about to be replaced.
void take_over_mode(int fd, const std::string& path) {
  struct stat old {};
  if (::stat(path.c_str(), &old) != 0) return;
  [[maybe_unused]] const int ignored = ::fchown(fd, old.st_uid, old.st_gid);
  require_call(::fchmod(fd, old.st_mode & 07777) == 0, path, "cannot keep its mode");
}

}  // namespace

void write_atomically(const std::string& path, const std::function<void(std::ostream&)>& write) {
  const std::string temporary = temporary_beside(path);
  const Descriptor file(create_beside(path, temporary));
  try {
    std::ofstream out(temporary, std::ios::binary);
    require_call(out.good(), path, "cannot write");
    out.imbue(std::locale::classic());  // numbers read the same wherever the host program runs
    write(out);
    out.close();
    require_call(!out.fail(), path, "cannot write");
    take_over_mode(file.fd, path);
    require_call(::fsync(file.fd) == 0, path, "cannot flush to disk");
    require_call(std::rename(temporary.c_str(), path.c_str()) == 0, path, "cannot replace");
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

int64_t file_size(const std::string& path) {
  struct stat info {};
  require_call(::stat(path.c_str(), &info) == 0, path, "cannot open");
  require(S_ISREG(info.st_mode), path, ": not a regular file");
  return info.st_size;
}

std::vector<uint8_t> read_file(const std::string& path, int64_t limit) {
  const int64_t size = file_size(path);
  require(size <= limit, path, ": ", size, " bytes, more than the ", limit, " allowed here");
  std::ifstream in(path, std::ios::binary);
  require_call(in.good(), path, "cannot open");
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  in.read(reinterpret_cast<char*>(bytes.data()), size);
  require(in.gcount() == size, path, ": could not be read to its end");
  return bytes;
}

}  // namespace limbic
