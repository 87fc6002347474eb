#include "nn/core/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>
// libmd needs the integer types above it.
#include <sha2.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "nn/core/error.h"

namespace limbic {
namespace {

std::string reason() { return std::strerror(errno); }

struct Descriptor {
  explicit Descriptor(int descriptor) : fd(descriptor) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd;
};

void flush_to_disk(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY));
  require(file.fd >= 0 && ::fsync(file.fd) == 0, path, ": cannot flush to disk: ", reason());
}

}  // namespace

void write_atomically(const std::string& path, const std::function<void(std::ostream&)>& write) {
  const std::string temporary = concat(path, ".tmp.", ::getpid());
  try {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    require(out.good(), path, ": cannot write: ", reason());
    write(out);
    out.close();
    require(!out.fail(), path, ": cannot write: ", errno ? reason() : "unknown reason");
    flush_to_disk(temporary);
    require(std::rename(temporary.c_str(), path.c_str()) == 0, path,
            ": cannot replace: ", reason());
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

int64_t file_size(const std::string& path) {
  struct stat info {};
  require(::stat(path.c_str(), &info) == 0, path, ": cannot open: ", reason());
  require(S_ISREG(info.st_mode), path, ": not a regular file");
  return info.st_size;
}

std::vector<uint8_t> read_file(const std::string& path, int64_t limit) {
  const int64_t size = file_size(path);
  require(size <= limit, path, ": ", size, " bytes, more than the ", limit, " allowed here");
  std::ifstream in(path, std::ios::binary);
  require(in.good(), path, ": cannot open: ", reason());
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  in.read(reinterpret_cast<char*>(bytes.data()), size);
  require(in.gcount() == size, path, ": could not be read to its end");
  return bytes;
}

MappedFile map_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  require(file.fd >= 0, path, ": cannot open: ", reason());
  struct stat info {};
  require(::fstat(file.fd, &info) == 0 && S_ISREG(info.st_mode), path, ": not a regular file");
  const size_t size = static_cast<size_t>(info.st_size);
  require(size > 0, path, ": the file is empty");
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.fd, 0);
  require(data != MAP_FAILED, path, ": cannot map: ", reason());
  std::shared_ptr<void> owner(data, [size](void* p) { ::munmap(p, size); });
  return {owner, {static_cast<uint8_t*>(data), size}};
}

std::string sha256(std::span<const uint8_t> bytes) {
  char hex[SHA256_DIGEST_STRING_LENGTH];
  ::SHA256Data(bytes.data(), bytes.size(), hex);
  return hex;
}

std::string sha256_of_file(const std::string& path) {
  char hex[SHA256_DIGEST_STRING_LENGTH];
  file_size(path);  // names what is wrong with the path, which the library does not
  require(::SHA256File(path.c_str(), hex) != nullptr, path, ": cannot read: ", reason());
  return hex;
}

}  // namespace limbic
