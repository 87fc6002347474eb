#include "limbic/serve/connections.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>

namespace limbic::serve {
namespace {

thread_local bool close_this = false;

// Takes what still comes, for two seconds at most.
void drain(socket_t sock) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  std::array<char, 1 << 16> rest;
  pollfd waiting{sock, POLLIN, 0};
  while (std::chrono::steady_clock::now() < end && ::poll(&waiting, 1, 100) > 0)
    if (::recv(sock, rest.data(), rest.size(), MSG_DONTWAIT) <= 0) return;
}

}  // namespace

// While it stands, the socket is shut when the time is over.
class Connections::Deadline {
 public:
  Deadline(Connections& all, socket_t sock) : all_(all), sock_(sock) {
    const std::lock_guard lock(all_.mutex_);
    all_.deadlines_[sock_] = std::chrono::steady_clock::now() + all_.read_time_;
    current = this;
  }
  ~Deadline() {
    lift();
    current = nullptr;
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void lift() {
    const std::lock_guard lock(all_.mutex_);
    all_.deadlines_.erase(sock_);
  }

  static thread_local Deadline* current;

 private:
  Connections& all_;
  socket_t sock_;
};
thread_local Connections::Deadline* Connections::Deadline::current = nullptr;

Connections::Connections(int connections, int read_seconds)
    : read_time_(read_seconds), watcher_([this] { watch(); }) {
  const auto n = static_cast<size_t>(connections);
  new_task_queue = [n] { return new httplib::ThreadPool(n, 4 * n); };
  set_keep_alive_max_count(1000000);
  set_keep_alive_timeout(5);
  set_read_timeout(5);
  set_write_timeout(5);
  set_tcp_nodelay(true);
  // Not SO_REUSEPORT, httplib's choice: a port that another server has is taken.
  set_socket_options([](socket_t sock) {
    const int yes = 1;
    ::setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
}

Connections::~Connections() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  watcher_.join();
}

void Connections::close_after_this_request() { close_this = true; }

void Connections::request_has_come() {
  if (Deadline::current) Deadline::current->lift();
}

void Connections::watch() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    changed_.wait_for(lock, std::chrono::milliseconds(250));
    const auto now = std::chrono::steady_clock::now();
    for (const auto& [sock, deadline] : deadlines_)
      if (now > deadline) ::shutdown(sock, SHUT_RDWR);
  }
}

void Connections::serve(httplib::Stream& stream) {
  for (bool closed = false; !closed && stream.is_readable(); closed = closed || close_this) {
    close_this = false;
    if (!process_request(stream, "", 0, "", 0, false, closed, nullptr)) return;
  }
}

bool Connections::process_and_close_socket(socket_t sock) {
  std::string address;
  int port = 0;
  httplib::detail::get_remote_ip_and_port(sock, address, port);
  const bool done = httplib::detail::process_server_socket(
      svr_sock_, sock, keep_alive_max_count_, keep_alive_timeout_sec_, read_timeout_sec_,
      read_timeout_usec_, write_timeout_sec_, write_timeout_usec_,
      [&](httplib::Stream& stream, bool close, bool& closed) {
        close_this = false;
        const Deadline deadline(*this, sock);
        const bool went = process_request(stream, address, port, "", 0, close, closed, nullptr);
        closed = closed || close_this;
        return went;
      });
  // What has not been read yet must not turn the answer into a reset.
  if (close_this) {
    ::shutdown(sock, SHUT_WR);
    drain(sock);
  }
  httplib::detail::shutdown_socket(sock);
  httplib::detail::close_socket(sock);
  return done;
}

}  // namespace limbic::serve
