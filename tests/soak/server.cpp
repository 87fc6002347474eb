// Many clients, some of them broken, slow or gone before they are answered, over one server for a
// long time: nobody gets another's answer, and its memory stays what it was.
//
//     soak_server [--requests 10000] [--clients 16] [--seed 0]
#include <atomic>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <thread>

#include "limbic/core/random.h"
#include "tests/emotion/pipeline.h"
#include "tests/serve/client.h"
#include "tests/text.h"

using namespace limbic;
using namespace limbic::testing;

namespace {

int64_t option(int argc, char** argv, const std::string& name, int64_t otherwise) {
  for (int i = 1; i + 1 < argc; ++i)
    if (argv[i] == name) return std::stoll(argv[i + 1]);
  return otherwise;
}

// kB that are resident.
int64_t resident(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stoll(line.substr(6));
  return 0;
}

std::string request(const std::string& body) {
  return str_cat("POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ", body.size(),
                 "\r\n\r\n", body);
}

struct Counts {
  std::atomic<int64_t> right = 0, wrong = 0, refused = 0, broken = 0, left = 0;
};

class Client {
 public:
  Client(const Server& server, const std::vector<std::string>& photos,
         const std::vector<std::string>& answers, Counts& counts, uint64_t seed)
      : server_(server), photos_(photos), answers_(answers), counts_(counts), random_(seed) {}

  void run(std::atomic<int64_t>& left) {
    while (left-- > 0) {
      if (random_.below(20) == 0)
        misbehave();
      else
        ask();
    }
  }

 private:
  void ask() {
    if (!connection_ || random_.below(8) == 0)
      connection_ = std::make_unique<Connection>(server_.port);
    const size_t i = any(photos_.size());
    connection_->send(request(photos_[i]));
    const std::string response = connection_->receive();
    if (status_of(response) == 503)
      ++counts_.refused;
    else if (status_of(response) == 200 && body_of(response) == answers_[i])
      ++counts_.right;
    else if (response.empty())  // an idle connection that the server has ended
      ++counts_.left;
    else
      ++counts_.wrong;
    if (status_of(response) != 200) connection_.reset();
  }

  size_t any(size_t n) { return static_cast<size_t>(random_.below(static_cast<int64_t>(n))); }

  // Five in a hundred: damaged bytes, half a request, one that comes in drops, one that nobody
  // waits for, and what is no HTTP at all.
  void misbehave() {
    ++counts_.broken;
    Connection c(server_.port);
    std::string photo = photos_[any(photos_.size())];
    switch (random_.below(5)) {
      case 0:
        for (int k = 0; k < 20; ++k) photo[any(photo.size())] ^= 0x55;
        c.send(request(photo));
        c.receive();
        break;
      case 1:
        c.send(request(photo).substr(0, 60 + any(photo.size())));
        break;
      case 2:
        for (const char byte : request(photo).substr(0, 20)) {
          c.send(std::string(1, byte));
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        break;
      case 3:
        c.send(request(photo));
        break;
      default:
        for (char& byte : photo) byte = static_cast<char>(random_.below(256));
        c.send(photo);
        c.receive(1);
    }
  }

  const Server& server_;
  const std::vector<std::string>&photos_, &answers_;
  Counts& counts_;
  Random random_;
  std::unique_ptr<Connection> connection_;
};

void run_clients(const Server& server, const std::vector<std::string>& photos,
                 const std::vector<std::string>& answers, Counts& counts, int64_t requests,
                 int64_t clients, uint64_t seed) {
  std::atomic<int64_t> left = requests;
  std::vector<std::thread> all;
  for (int64_t t = 0; t < clients; ++t)
    all.emplace_back([&, t] {
      Client(server, photos, answers, counts, seed + static_cast<uint64_t>(t)).run(left);
    });
  for (std::thread& t : all) t.join();
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t requests = option(argc, argv, "--requests", 10000),
                clients = option(argc, argv, "--clients", 16);
  const auto seed = static_cast<uint64_t>(option(argc, argv, "--seed", 0)) * 1000;
  const FittedPipeline world(12);
  std::vector<std::string> photos, answers;
  for (const std::string& photo : world.photos) photos.push_back(text_of(photo));
  // One picture at once: then an answer's last digit does not depend on who asks beside.
  Server server({world.model, "--batch-size", "1", "--timeout", "2"});
  for (const std::string& photo : photos) {
    Connection c(server.port);
    c.send(request(photo));
    answers.push_back(body_of(c.receive()));
  }
  // Each thread and each kind of fault touches its pages once: half as many before, for that.
  Counts counts, warm;
  run_clients(server, photos, answers, warm, requests / 2, clients, seed + 500);
  std::vector<int64_t> memory = {resident(server.pid())};
  for (uint64_t fifth = 0; fifth < 5; ++fifth) {
    run_clients(server, photos, answers, counts, requests / 5, clients, seed + 100 * fifth);
    memory.push_back(resident(server.pid()));
  }
  const int status = server.stop();
  const double growth =
      static_cast<double>(memory.back() - memory.front()) / static_cast<double>(memory.front());
  std::string series;
  for (int64_t kb : memory) series += (series.empty() ? "" : " ") + std::to_string(kb);
  std::printf("%s\n", str_cat(counts.right, " answers right, ", counts.wrong, " wrong, ",
                              counts.refused, " refused (503), ", counts.broken, " misbehaved, ",
                              counts.left, " ended; resident kB: ", series, " (",
                              std::lround(1000 * growth) / 10.0, " %); status ", status)
                          .c_str());
  const bool flat = growth < 0.05 || requests < 5000;  // fewer say nothing of it
  return counts.wrong == 0 && counts.right > requests * 8 / 10 && flat && status == 0 ? 0 : 1;
}
