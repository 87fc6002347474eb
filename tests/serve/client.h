#pragma once
// A server in a process of its own, and a client that sends whatever bytes a test wants.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

extern char** environ;

namespace limbic::testing {

/// `limbic serve` with these arguments, on a port of its choice.
class Server {
 public:
  explicit Server(std::vector<std::string> arguments) {
    if (std::find(arguments.begin(), arguments.end(), "--port") == arguments.end())
      arguments.insert(arguments.begin(), {"--port", "0"});
    arguments.insert(arguments.begin(), {LIMBIC_PROGRAM, "serve", "--quiet"});
    std::array<int, 2> out{};
    if (::pipe(out.data()) != 0) throw std::runtime_error("no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, out[0]);
    std::vector<char*> words;
    for (std::string& a : arguments) words.push_back(a.data());
    words.push_back(nullptr);
    if (::posix_spawn(&pid_, LIMBIC_PROGRAM, &actions, nullptr, words.data(), environ) != 0)
      throw std::runtime_error("cannot start " LIMBIC_PROGRAM);
    posix_spawn_file_actions_destroy(&actions);
    ::close(out[1]);
    std::string line;
    for (char c; ::read(out[0], &c, 1) == 1 && c != '\n';) line += c;
    ::close(out[0]);
    const size_t colon = line.rfind(':');
    if (colon != line.npos) port = std::stoi(line.substr(colon + 1));
  }
  ~Server() {
    if (pid_ > 0) stop();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void signal(int which) const { ::kill(pid_, which); }
  /// Its exit status, after SIGTERM; -1 where a signal ended it.
  int stop() {
    signal(SIGTERM);
    return wait();
  }
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  pid_t pid() const { return pid_; }

  int port = 0;  ///< 0: it did not start.

 private:
  pid_t pid_ = -1;
};

/// One connection to 127.0.0.1.
class Connection {
 public:
  explicit Connection(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  /// One response, as long as its Content-Length says; what came where the connection ended.
  std::string receive(int seconds = 30) {
    while (true) {
      if (const size_t head = buffer_.find("\r\n\r\n"); head != buffer_.npos) {
        const size_t at = buffer_.find("Content-Length: ");
        const size_t length = at < head ? std::stoul(buffer_.substr(at + 16)) : 0;
        if (buffer_.size() >= head + 4 + length) {
          const std::string response = buffer_.substr(0, head + 4 + length);
          buffer_.erase(0, response.size());
          return response;
        }
      }
      if (!read_some(seconds)) return std::exchange(buffer_, "");
    }
  }
  /// Whether the other side ends the connection within so many seconds.
  bool ends(int seconds) {
    while (read_some(seconds)) {
    }
    return ended_;
  }

  bool connected = false;

 private:
  bool read_some(int seconds) {
    pollfd waiting{socket_, POLLIN, 0};
    if (::poll(&waiting, 1, 1000 * seconds) <= 0) return false;
    std::array<char, 65536> part;
    const ssize_t n = ::recv(socket_, part.data(), part.size(), 0);
    ended_ = n <= 0;
    if (n > 0) buffer_.append(part.data(), static_cast<size_t>(n));
    return n > 0;
  }

  int socket_;
  bool ended_ = false;
  std::string buffer_;
};

inline int status_of(const std::string& response) {
  return response.starts_with("HTTP/1.1 ") ? std::stoi(response.substr(9, 3)) : 0;
}
inline std::string body_of(const std::string& response) {
  const size_t head = response.find("\r\n\r\n");
  return head == response.npos ? "" : response.substr(head + 4);
}

}  // namespace limbic::testing
