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

/// Throws Error with the joined arguments.
template <class... Args>
[[noreturn]] void fail(const Args&... args) {
  throw Error(str_cat(args...));
}

/// Throws Error with the joined arguments unless `ok`.
template <class... Args>
void require(bool ok, const Args&... args) {
  if (!ok) fail(args...);
}

}  // namespace limbic
