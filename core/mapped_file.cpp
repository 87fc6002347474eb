// Memory-mapped files that survive being cut. The kernel answers a read beyond the end of a file
// that has shrunk with SIGBUS; a handler puts a page of zeros there and marks the mapping damaged.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/core/tensor.h"

namespace limbic {
namespace {

struct Mapping {
  std::atomic<uintptr_t> begin{0}, end{0};  // begin 0: the place is free
  std::atomic<bool> damaged{false};
  std::atomic<int> fd{-1};  // open as long as the mapping is: its size tells of a cut
};
// Fixed places, because a signal handler may neither lock nor allocate.
std::array<Mapping, 64> mappings;
struct sigaction previous_action {};

// A signal that is not ours, as if our handler were not there.
void pass_on(int signal, siginfo_t* info, void* context) {
  if (previous_action.sa_flags & SA_SIGINFO)
    previous_action.sa_sigaction(signal, info, context);
  else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN)
    previous_action.sa_handler(signal);
  else
    ::signal(signal, SIG_DFL);  // the read is repeated and ends the process as usual
}

void on_bus_error(int signal, siginfo_t* info, void* context) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (Mapping& m : mappings) {
    if (address < m.begin || address >= m.end) continue;
    void* at = reinterpret_cast<void*>(address / page * page);
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    if (::mmap(at, page, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED) break;
    m.damaged = true;
    return;
  }
  pass_on(signal, info, context);
}

void install_handler() {
  static const bool installed = [] {
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    return ::sigaction(SIGBUS, nullptr, &previous_action) == 0 &&
           ::sigaction(SIGBUS, &action, nullptr) == 0;
  }();
  (void)installed;
}

Mapping* claim(void* data, size_t size, int fd) {
  const auto begin = reinterpret_cast<uintptr_t>(data);
  for (Mapping& m : mappings) {
    uintptr_t expected = 0;
    if (!m.begin.compare_exchange_strong(expected, begin)) continue;
    m.damaged = false;
    m.fd = fd;
    m.end = begin + size;
    return &m;
  }
  return nullptr;
}

// `begin` last: once it is 0, the place is another thread's.
void give_back(Mapping& m) {
  m.end = 0;
  m.begin = 0;
}

}  // namespace

MappedFile map_file(const std::string& path) {
  file_size(path);  // refuses a pipe before opening it would wait for a writer
  tell_observer(path);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(path, ": cannot open: ", std::strerror(errno));
  std::shared_ptr<void> closer(nullptr, [fd](void*) { ::close(fd); });
  struct stat info {};
  require(::fstat(fd, &info) == 0 && S_ISREG(info.st_mode), path, ": not a regular file");
  require(info.st_size > 0, path, ": the file is empty (0 bytes)");
  const auto size = static_cast<size_t>(info.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  if (data == MAP_FAILED) fail(path, ": cannot map: ", std::strerror(errno));
  install_handler();
  Mapping* mapping = claim(data, size, fd);
  // The place first: once the memory is free, another thread may map a file there.
  std::shared_ptr<void> owner(data, [size, mapping, closer](void* p) mutable {
    if (mapping) give_back(*mapping);
    ::munmap(p, size);
    closer.reset();
  });
  require(mapping != nullptr, path, ": more than ", mappings.size(), " files are mapped at once");
  return {std::move(owner), {static_cast<uint8_t*>(data), size}, path};
}

MappedFile in_memory(std::span<const uint8_t> bytes, const std::string& name) {
  require(!bytes.empty(), name, ": is empty (0 bytes)");
  auto memory = allocate_aligned(std::ssize(bytes));
  std::memcpy(memory.get(), bytes.data(), bytes.size());
  auto* begin = static_cast<uint8_t*>(memory.get());
  return {std::move(memory), {begin, bytes.size()}, name};
}

void release_mapped(const void* data, int64_t bytes) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<uintptr_t>(data);
  // Whole pages only: the others belong to neighbours too.
  const uintptr_t begin = (address + page - 1) / page * page,
                  end = (address + static_cast<uintptr_t>(bytes)) / page * page;
  if (begin >= end) return;
  for (const Mapping& m : mappings)
    if (m.begin <= begin && end <= m.end && !m.damaged)
      ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

void MappedFile::require_intact() const {
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data());
  for (const Mapping& m : mappings) {
    if (m.begin != begin) continue;
    // A cut within the last page leaves no page that cannot be read.
    struct stat info {};
    const bool cut = m.damaged || ::fstat(m.fd, &info) != 0 ||
                     static_cast<uint64_t>(info.st_size) < bytes.size();
    require(!cut, path, ": was cut while it was read, expected ", bytes.size(), " bytes");
  }
}

}  // namespace limbic
