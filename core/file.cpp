#include "limbic/core/file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <locale>
#include <mutex>
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

// A pipe, a device: it takes what is written, and nothing can be replaced.
bool only_takes(const std::string& path) {
  struct stat info {};
  return path.starts_with("/dev/") || path.starts_with("/proc/") ||
         (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode));
}

void write_into(const std::string& path, const std::function<void(std::ostream&)>& write) {
  std::ofstream out(path, std::ios::binary | std::ios::app);  // behind what stands there
  require_call(out.good(), path, "cannot write");
  out.imbue(std::locale::classic());
  write(out);
  out.close();
  require_call(!out.fail(), path, "cannot write");
}

// What a link leads to is replaced, and not the link.
std::string behind_links(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISLNK(info.st_mode)) return path;
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                         std::free);
  return real ? real.get() : path;
}

}  // namespace

void write_atomically(const std::string& name, const std::function<void(std::ostream&)>& write) {
  if (only_takes(name)) return write_into(name, write);
  const std::string path = behind_links(name);
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

namespace {

// A pipe or a device, to its end.
std::vector<uint8_t> read_stream(const std::string& path, int64_t limit) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  require_call(file.fd >= 0, path, "cannot open");
  std::vector<uint8_t> bytes;
  while (true) {
    constexpr size_t part = 1 << 16;
    const size_t before = bytes.size();
    bytes.resize(before + part);
    const ssize_t n = ::read(file.fd, bytes.data() + before, part);
    require_call(n >= 0, path, "cannot be read");
    bytes.resize(before + static_cast<size_t>(n));
    require(std::ssize(bytes) <= limit, path, ": more than the ", limit, " bytes allowed here");
    if (n == 0) return bytes;
  }
}

}  // namespace

namespace {

std::atomic<bool> observed = false;
std::mutex observer_mutex;
ReadObserver& read_observer() {
  static ReadObserver observer;
  return observer;
}

}  // namespace

void observe_reads(ReadObserver observer) {
  const std::lock_guard lock(observer_mutex);
  observed = static_cast<bool>(observer);
  read_observer() = std::move(observer);
}

void tell_observer(const std::string& path) {
  if (!observed) return;
  const std::lock_guard lock(observer_mutex);
  if (read_observer()) read_observer()(path);
}

std::vector<uint8_t> read_file(const std::string& path, int64_t limit) {
  tell_observer(path);
  struct stat info {};
  require_call(::stat(path.c_str(), &info) == 0, path, "cannot open");
  require(!S_ISDIR(info.st_mode), path, ": is a folder, not a file");
  if (!S_ISREG(info.st_mode)) return read_stream(path, limit);
  const int64_t size = info.st_size;
  require(size <= limit, path, ": ", size, " bytes, more than the ", limit, " allowed here");
  std::ifstream in(path, std::ios::binary);
  require_call(in.good(), path, "cannot open");
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  in.read(reinterpret_cast<char*>(bytes.data()), size);
  require(in.gcount() == size, path, ": could not be read to its end");
  return bytes;
}

}  // namespace limbic
