// Loaded in front of the C library (LD_PRELOAD): ends the process, as a power cut would, at change
// number LIMBIC_KILL_AT that it makes to regular files. Of a write, half is made; a flush, a new
// name, a removal are not. Without that number the changes are counted into the file LIMBIC_COUNT.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace {

std::atomic<int> changes{0};

bool strikes() {
  const char* at = std::getenv("LIMBIC_KILL_AT");
  return ++changes == (at ? std::atoi(at) : 0);
}

bool strikes_at(int fd) {
  struct stat info {};
  return fd > 2 && ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && strikes();
}

void die() { ::kill(::getpid(), SIGKILL); }

// What the C library would have done.
template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

__attribute__((destructor)) void write_count() {
  const char* path = std::getenv("LIMBIC_COUNT");
  const int count = changes;
  if (FILE* out = path ? std::fopen(path, "w") : nullptr) {
    std::fprintf(out, "%d\n", count);
    std::fclose(out);
  }
}

}  // namespace

extern "C" {
ssize_t write(int fd, const void* data, size_t size) {
  static auto* const real = next<decltype(write)>("write");
  const bool strike = strikes_at(fd);
  const ssize_t written = real(fd, data, strike ? size / 2 : size);
  if (strike) die();
  return written;
}
ssize_t writev(int fd, const iovec* parts, int count) {
  static auto* const real = next<decltype(writev)>("writev");
  const bool strike = strikes_at(fd);
  const ssize_t written = real(fd, parts, strike ? count / 2 : count);
  if (strike) die();
  return written;
}
int fsync(int fd) {
  static auto* const real = next<decltype(fsync)>("fsync");
  if (strikes_at(fd)) die();
  return real(fd);
}
int rename(const char* from, const char* to) noexcept {
  static auto* const real = next<decltype(rename)>("rename");
  if (strikes()) die();
  return real(from, to);
}
int unlink(const char* path) noexcept {
  static auto* const real = next<decltype(unlink)>("unlink");
  if (strikes()) die();
  return real(path);
}
int remove(const char* path) noexcept {
  static auto* const real = next<decltype(remove)>("remove");
  if (strikes()) die();
  return real(path);
}
}
