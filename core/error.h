#pragma once
// core: what every other folder stands on: tensors, errors, threads, random numbers, matrix
// products, files.
#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>

namespace limbic {

/// Anything that went wrong with what a caller handed in. The message is one line: what, where,
/// what was expected and what came.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Joins its arguments as a stream would: `str_cat("expected ", 3, ", got ", 4)`; numbers are
/// written in the classic locale.
template <class... Args>
std::string str_cat(const Args&... args) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  (out << ... << args);
  return out.str();
}

/// A message that quotes a hostile file may be as long as the file: of more than 1,500 bytes the
/// middle is left out, at whole characters of UTF-8.
inline std::string shortened(std::string message) {
  constexpr size_t head = 1000, tail = 400;
  if (message.size() <= head + tail + 100) return message;
  const auto continues = [&](size_t at) { return (message[at] & 0xc0) == 0x80; };
  size_t begin = head, end = message.size() - tail;
  while (begin > head - 4 && continues(begin)) --begin;
  while (end < message.size() - tail + 4 && continues(end)) ++end;
  return message.replace(begin, end - begin, " ... ");
}

/// Throws Error with the joined arguments, shortened.
template <class... Args>
[[noreturn]] void fail(const Args&... args) {
  throw Error(shortened(str_cat(args...)));
}

/// Throws Error with the joined arguments unless `ok`.
template <class... Args>
void require(bool ok, const Args&... args) {
  if (!ok) fail(args...);
}

}  // namespace limbic
