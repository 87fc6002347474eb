#pragma once
// cpp-httplib's server, and what it leaves open: how long a request may take to come, and that what
// was not read of one is not taken for another.
#define CPPHTTPLIB_USE_POLL
#define CPPHTTPLIB_LISTEN_BACKLOG 128
#include <httplib.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace limbic::serve {

class Connections : public httplib::Server {
 public:
  Connections(int connections, int read_seconds);
  ~Connections() override;

  /// The requests of a connection, one after the other.
  void serve(httplib::Stream& stream);

  /// For the handler of the request that this thread serves.
  static void close_after_this_request();
  /// The clock of read_seconds stops.
  static void request_has_come();

 private:
  class Deadline;
  bool process_and_close_socket(socket_t sock) override;
  void watch();

  const std::chrono::seconds read_time_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<socket_t, std::chrono::steady_clock::time_point> deadlines_;
  bool stop_ = false;
  std::thread watcher_;
};

}  // namespace limbic::serve
