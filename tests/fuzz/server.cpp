// What comes over a connection of `limbic serve`.
#include "limbic/serve/server.h"

#include <stdexcept>

#include "limbic/core/error.h"
#include "tests/fuzz/target.h"

namespace limbic::fuzz {
namespace {

std::string answer(const std::string& bytes) {
  static const auto server = [] {
    limbic_model* model = nullptr;
    const std::string path = LIMBIC_SOURCE_DIR "/tests/goldens/promise/model3";
    require(limbic_open(path.c_str(), nullptr, &model) == LIMBIC_OK, limbic_last_error());
    return serve::without_socket(model, {.token = "", .max_bytes = 1 << 16, .max_pictures = 4});
  }();
  return server(bytes);
}

// A server throws nothing, whatever it is sent, and says nothing of its machine.
void read_connection(const Bytes& bytes) {
  const std::string said = answer(text_of(bytes));
  if (!said.empty() && !said.starts_with("HTTP/1.1 "))
    throw std::runtime_error("an answer that is no HTTP: " + said.substr(0, 80));
  if (said.find(LIMBIC_SOURCE_DIR) != std::string::npos)
    throw std::runtime_error("an answer with a path of the machine");
}

std::string post(const std::string& headers, const std::string& body) {
  return str_cat("POST /predict?top=2 HTTP/1.1\r\nHost: 127.0.0.1\r\n", headers,
                 "Content-Length: ", body.size(), "\r\n\r\n", body);
}

std::vector<Bytes> connections() {
  const std::string photo = text_of(goldens({"promise/photo.png"})[0]);
  const std::string part =
      "--b\r\nContent-Disposition: form-data; name=\"p\"; filename=\"a\"\r\n\r\n" + photo + "\r\n";
  const std::string get = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
  std::vector<Bytes> out;
  for (const std::string& text :
       {get, get + get, post("", photo), post("", "none") + get,
        post("Content-Type: multipart/form-data; boundary=b\r\n", part + part + "--b--\r\n"),
        post("Expect: 100-continue\r\nConnection: close\r\n", "x"),
        post("Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n"),
        std::string("GET / HTTP/1.0\r\nRange: bytes=0-1,5-\r\n\r\n"),
        std::string("HEAD /health HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\n\r\n")})
    out.push_back(bytes_of(text));
  return out;
}

}  // namespace

std::vector<Target> server_targets() { return {{"http", read_connection, connections, 512}}; }

}  // namespace limbic::fuzz
