#include "nn/core/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>
// libmd needs the integer types above it.
#include <md5.h>
#include <sha2.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "nn/core/error.h"

namespace limbic {
namespace {

std::string reason() { return std::strerror(errno); }

// Throws with the system's reason, read only after the call whose result `ok` is.
void require_call(bool ok, const std::string& path, const char* what) {
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

void flush_to_disk(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY));
  require_call(file.fd >= 0 && ::fsync(file.fd) == 0, path, "cannot flush to disk");
}

}  // namespace

void write_atomically(const std::string& path, const std::function<void(std::ostream&)>& write) {
  struct stat info {};
  require(::stat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode), path,
          ": cannot write: it is there already and is not a regular file");
  const std::string temporary = str_cat(path, ".tmp.", ::getpid());
  try {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    require_call(out.good(), path, "cannot write");
    write(out);
    out.close();
    require_call(!out.fail(), path, "cannot write");
    flush_to_disk(temporary);
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

std::string sha256(std::span<const uint8_t> bytes) {
  char hex[SHA256_DIGEST_STRING_LENGTH];
  ::SHA256Data(bytes.data(), bytes.size(), hex);
  return hex;
}

std::string md5(std::span<const uint8_t> bytes) {
  char hex[MD5_DIGEST_STRING_LENGTH];
  ::MD5Data(bytes.data(), bytes.size(), hex);
  return hex;
}

std::string sha256_of_file(const std::string& path) {
  char hex[SHA256_DIGEST_STRING_LENGTH];
  file_size(path);  // names what is wrong with the path, which the library does not
  require_call(::SHA256File(path.c_str(), hex) != nullptr, path, "cannot read");
  return hex;
}

}  // namespace limbic
