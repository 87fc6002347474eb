#include "limbic/hash/hash.h"

#include <sys/types.h>
// libmd needs the integer types above it.
#include <md5.h>
#include <sha2.h>

#include <cerrno>
#include <cstring>

#include "limbic/core/error.h"
#include "limbic/core/file.h"

namespace limbic {

std::string sha256(std::span<const uint8_t> bytes) {
  char hex[SHA256_DIGEST_STRING_LENGTH];
  ::SHA256Data(bytes.data(), bytes.size(), hex);
  return hex;
}

std::string sha256_of_text(std::string_view text) {
  return sha256({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

std::string md5(std::span<const uint8_t> bytes) {
  char hex[MD5_DIGEST_STRING_LENGTH];
  ::MD5Data(bytes.data(), bytes.size(), hex);
  return hex;
}

std::string sha256_of_file(const std::string& path) {
  char hex[SHA256_DIGEST_STRING_LENGTH];
  file_size(path);  // names what is wrong with the path, which the library does not
  if (!::SHA256File(path.c_str(), hex)) fail(path, ": cannot read: ", std::strerror(errno));
  return hex;
}

}  // namespace limbic
