#pragma once
#include "limbic/serve/connections.h"

namespace limbic::serve {

/// A connection that has sent its bytes and waits for the answers: for tests of what comes over
/// one.
class MemoryStream : public httplib::Stream {
 public:
  explicit MemoryStream(std::string_view bytes) : left_(bytes) {}

  bool is_readable() const override { return !left_.empty(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, size_t size) override {
    const size_t n = std::min(size, left_.size());
    left_.copy(to, n);
    left_.remove_prefix(n);
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* from, size_t size) override {
    answers.append(from, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return -1; }

  std::string answers;

 private:
  std::string_view left_;
};

}  // namespace limbic::serve
