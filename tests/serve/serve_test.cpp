#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include "tests/emotion/pipeline.h"
#include "tests/serve/client.h"
#include "tests/text.h"

using namespace limbic;
using namespace limbic::testing;
using nlohmann::json;

namespace {

struct World : FittedPipeline {  // its photos are the files' bytes
  World() {
    for (std::string& photo : photos) photo = text_of(photo);
  }
};
World& world() {
  static World w;
  return w;
}

std::string request(const std::string& body, const std::string& headers = "",
                    const std::string& target = "/predict") {
  return str_cat("POST ", target, " HTTP/1.1\r\nHost: 127.0.0.1\r\n", headers,
                 "Content-Length: ", body.size(), "\r\n\r\n", body);
}

std::string ask(const Server& server, const std::string& bytes) {
  Connection c(server.port);
  REQUIRE(c.connected);
  c.send(bytes);
  return c.receive();
}

std::string form_of(const std::vector<std::string>& photos) {
  std::string out;
  for (const std::string& photo : photos)
    out += "--xyz\r\nContent-Disposition: form-data; name=\"p\"; filename=\"a.png\"\r\n\r\n" +
           photo + "\r\n";
  return out + "--xyz--\r\n";
}
const std::string form_type = "Content-Type: multipart/form-data; boundary=xyz\r\n";

}  // namespace

TEST_CASE("serve: a picture gets predict's answer, alone and among others, on one connection") {
  const Server server({world().model});
  REQUIRE(server.port > 0);
  Connection c(server.port);
  std::vector<json> alone;
  for (size_t i = 0; i < 4; ++i) {
    REQUIRE(c.send(request(world().photos[i])));
    const std::string response = c.receive();
    REQUIRE(status_of(response) == 200);
    alone.push_back(json::parse(body_of(response)));
    CHECK(alone.back().contains("emotion"));
    CHECK(alone.back()["probabilities"].size() == 3);
    CHECK_FALSE(alone.back().contains("image"));
  }
  const auto& p = world().photos;
  REQUIRE(c.send(request(form_of({p[0], p[1], "none", p[2], p[3]}), form_type)));
  const json all = json::parse(body_of(c.receive()));
  REQUIRE(all.size() == 5);
  CHECK(all[2].contains("error"));
  for (size_t i : {0, 1, 3, 4}) {
    const json& one = alone[i > 2 ? i - 1 : i];
    CHECK(all[i]["emotion"] == one["emotion"]);
    for (const auto& [name, value] : one["probabilities"].items())
      CHECK(all[i]["probabilities"][name].get<double>() ==
            doctest::Approx(value.get<double>()).epsilon(1e-4));
  }
  REQUIRE(c.send(request(form_of({p[0]}), form_type)));
  CHECK(json::parse(body_of(c.receive()))["emotion"] == alone[0]["emotion"]);
}

TEST_CASE("serve: what is no picture, or no honest request, gets its status and a reason") {
  const Server server({world().model, "--max-body", "1"});
  REQUIRE(server.port > 0);
  const std::string& photo = world().photos[0];
  const std::string host = "Host: 127.0.0.1\r\n", post = "POST /predict HTTP/1.1\r\n";
  const std::string large(3 << 20, 'x');
  struct Case {
    int status;
    std::string bytes;
  };
  const Case cases[] = {
      {415, request("no picture at all")},
      {415, request(photo.substr(0, photo.size() / 2))},
      {415, request(photo, "Content-Encoding: gzip\r\n")},
      {400, request("")},
      {413, request(large)},
      {413, post + host + "Content-Length: 99999999999\r\n\r\n"},
      {413, request(form_of(std::vector<std::string>(80, "x")), form_type)},
      {400, post + host + "Content-Length: -5\r\n\r\n"},
      {400, post + host + "Content-Length: 5x\r\n\r\n12345"},
      {400, post + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n123456"},
      {400, post + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {400, post + host + "Host: other\r\nContent-Length: 1\r\n\r\nx"},
      {411, post + host + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
      {411, post + host + "\r\n"},
      {403, request(photo, "Origin: http://elsewhere.example\r\n")},
      {403, request(photo, "Origin: null\r\n")},
      {403, post + "Host: elsewhere.example\r\nContent-Length: 1\r\n\r\nx"},
      {400, request(photo, "", "/predict?top=x")},
      {404, "GET /etc/passwd HTTP/1.1\r\n" + host + "\r\n"},
      {404, "GET /predict HTTP/1.1\r\n" + host + "\r\n"},
      {404, "DELETE / HTTP/1.1\r\n" + host + "Content-Length: 0\r\n\r\n"},
      {400, "nonsense\r\n\r\n"},
      {414, "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n" + host + "\r\n"},
  };
  for (const Case& c : cases) {
    INFO(c.bytes.substr(0, 120));
    const std::string response = ask(server, c.bytes);
    CHECK(status_of(response) == c.status);
    const json body = json::parse(body_of(response), nullptr, false);
    REQUIRE(body.is_object());
    CHECK(body["error"].is_string());
    CHECK(response.find(world().folder / "") == response.npos);
    CHECK(response.find("/predict") == response.npos);
  }
  CHECK(status_of(ask(server, request(photo, "Origin: http://127.0.0.1\r\n"))) == 200);
}

TEST_CASE("serve: what was not read of a refused request is not taken for another") {
  const Server server({world().model});
  Connection c(server.port);
  const std::string hidden = "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  c.send("POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n" +
         hidden);
  CHECK(status_of(c.receive()) == 411);
  CHECK(c.receive(5).empty());
  CHECK(c.ends(5));
}

TEST_CASE("serve: a token is asked for, and another host needs one") {
  TemporaryFolder folder;
  std::ofstream(folder / "token") << "secret-word\n";
  const Server server({world().model, "--token-file", folder / "token"});
  const std::string& photo = world().photos[0];
  CHECK(status_of(ask(server, request(photo))) == 401);
  CHECK(status_of(ask(server, request(photo, "Authorization: Bearer secret-worn\r\n"))) == 401);
  CHECK(status_of(ask(server, request(photo, "Authorization: Bearer \r\n"))) == 401);
  CHECK(status_of(ask(server, request(photo, "Authorization: Bearer secret-word\r\n"))) == 200);
  CHECK(status_of(ask(server, "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")) == 200);
  Server open({world().model, "--host", "0.0.0.0"});
  CHECK(open.port == 0);
  CHECK(open.wait() == 1);
  std::ofstream(folder / "short") << "x";
  Server weak({world().model, "--token-file", folder / "short"});
  CHECK(weak.wait() == 1);
}

TEST_CASE("serve: a port that is taken, no model, both a model and weights: one line, status 1") {
  const Server first({world().model});
  Server second({world().model, "--port", std::to_string(first.port)});
  CHECK(second.wait() == 1);
  Server none(std::vector<std::string>{});
  CHECK(none.wait() == 1);
  Server missing({"/nowhere"});
  CHECK(missing.wait() == 1);
}

TEST_CASE("serve: one who sends slowly is cut off, and holds nobody up") {
  const Server server({world().model, "--timeout", "1", "--connections", "4"});
  Connection slow(server.port), silent(server.port);
  std::atomic<bool> stop = false;
  std::thread dripping([&] {
    for (const char c : request(world().photos[0])) {
      if (stop || !slow.send(std::string(1, c))) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  });
  CHECK(status_of(ask(server, request(world().photos[1]))) == 200);
  CHECK(slow.ends(6));
  stop = true;
  dripping.join();
  CHECK(silent.ends(10));
}

TEST_CASE("serve: more than may wait is answered 503; everybody else gets his own answer") {
  const Server server({world().model, "--max-waiting", "2", "--batch-size", "1"});
  std::vector<std::string> expected;
  for (const std::string& photo : world().photos)
    expected.push_back(body_of(ask(server, request(photo))));
  std::atomic<int> answered = 0, refused = 0, wrong = 0;
  std::vector<std::thread> clients;
  for (size_t t = 0; t < 12; ++t)
    clients.emplace_back([&, t] {
      for (size_t k = 0; k < 20; ++k) {
        const size_t i = (5 * t + k) % expected.size();
        Connection c(server.port);
        c.send(request(world().photos[i]));
        const std::string response = c.receive();
        if (status_of(response) == 503) {
          ++refused;
        } else {
          ++answered;
          wrong += body_of(response) != expected[i];
        }
      }
    });
  for (std::thread& client : clients) client.join();
  CHECK(wrong == 0);
  CHECK(answered > 0);
  CHECK(refused + answered == 240);
  CHECK(refused > 0);
  // Eight at once are more than two.
  CHECK(status_of(ask(server, request(form_of(std::vector<std::string>(8, world().photos[0])),
                                      form_type))) == 503);
}

TEST_CASE("serve: SIGTERM lets what has come be answered, and the status is 0") {
  Server server({world().model});
  Connection c(server.port);
  c.send(request(form_of(std::vector<std::string>(60, world().photos[0])), form_type));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  server.signal(SIGTERM);
  const std::string response = c.receive();
  CHECK(status_of(response) == 200);
  CHECK(json::parse(body_of(response)).size() == 60);
  CHECK(server.wait() == 0);
}

TEST_CASE("serve: the page, health, readiness and metrics") {
  const Server server({world().model});
  const auto get = [&](const std::string& target) {
    return ask(server, "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  };
  const std::string page = get("/");
  CHECK(status_of(page) == 200);
  CHECK(page.find("Content-Security-Policy: default-src 'none'") != page.npos);
  CHECK(page.find("{{nonce}}") == page.npos);
  CHECK(page.find("src=\"http") == page.npos);
  CHECK(get("/") != page);  // the nonce is new each time
  CHECK(body_of(get("/health")) == "{\"status\":\"ok\"}");
  CHECK(body_of(get("/ready")) == "{\"status\":\"ready\"}");
  ask(server, request(world().photos[0]));
  ask(server, request("none"));
  const std::string metrics = body_of(get("/metrics"));
  CHECK(metrics.find("limbic_pictures_total 1\n") != metrics.npos);
  CHECK(metrics.find("limbic_responses_total{code=\"415\"} 1\n") != metrics.npos);
  CHECK(metrics.find("limbic_request_seconds_count 1\n") != metrics.npos);
}

TEST_CASE("serve: /explain answers with the map of predict's class, and as the page shows it") {
  const Server server({world().model});
  for (size_t i : {0, 7, 13}) {
    const std::string& photo = world().photos[i];
    const json answer = json::parse(body_of(ask(server, request(photo))));
    const std::string response = ask(server, request(photo, "", "/explain"));
    REQUIRE(status_of(response) == 200);
    const json map = json::parse(body_of(response));
    CHECK(map["class"] == answer["emotion"]);
    CHECK(map["method"] == "grad-cam");
    CHECK(map["layer"] == "diff1/layer3");
    REQUIRE(map["map"].size() == 4);
    for (const auto& row : map["map"]) {
      CHECK(row.size() == 4);
      for (const double v : row) CHECK((v >= 0 && v <= 1));
    }
    CHECK(map["overlay"].get<std::string>().starts_with("data:image/png;base64,iVBOR"));
    CHECK(ask(server, request(photo, "", "/explain")) == response);
  }
  CHECK(ask(server, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").find("fetch(\"explain\"") !=
        std::string::npos);
}

TEST_CASE("serve: /explain has /predict's limits, token and errors") {
  const Server server({world().model, "--max-body", "1"});
  const std::string& photo = world().photos[0];
  struct Case {
    int status;
    std::string bytes;
  };
  const Case cases[] = {
      {415, request("no picture at all", "", "/explain")},
      {415, request(photo.substr(0, photo.size() / 2), "", "/explain")},
      {415, request(photo, "Content-Encoding: gzip\r\n", "/explain")},
      {400, request("", "", "/explain")},
      {400, request(form_of({photo, photo}), form_type, "/explain")},
      {413, request(std::string(3 << 20, 'x'), "", "/explain")},
      {403, request(photo, "Origin: http://elsewhere.example\r\n", "/explain")},
      {411, "POST /explain HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"},
      {404, "GET /explain HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"},
      {200, request(form_of({photo}), form_type, "/explain")},
  };
  for (const Case& c : cases) {
    INFO(c.bytes.substr(0, 120));
    const std::string response = ask(server, c.bytes);
    CHECK(status_of(response) == c.status);
    CHECK(json::parse(body_of(response)).contains("error") == (c.status != 200));
  }
  TemporaryFolder folder;
  std::ofstream(folder / "token") << "secret-word\n";
  const Server guarded({world().model, "--token-file", folder / "token"});
  CHECK(status_of(ask(guarded, request(photo, "", "/explain"))) == 401);
  CHECK(status_of(ask(guarded,
                      request(photo, "Authorization: Bearer secret-word\r\n", "/explain"))) == 200);
}

TEST_CASE("serve: of many who ask for a map each gets it or 503") {
  const Server server({world().model, "--max-waiting", "2"});
  const std::string expected = body_of(ask(server, request(world().photos[0], "", "/explain")));
  std::atomic<int> answered = 0, refused = 0, wrong = 0;
  std::vector<std::thread> clients;
  for (int t = 0; t < 12; ++t)
    clients.emplace_back([&] {
      for (int k = 0; k < 5; ++k) {
        const std::string response = ask(server, request(world().photos[0], "", "/explain"));
        if (status_of(response) == 503)
          ++refused;
        else
          ++answered, wrong += body_of(response) != expected;
      }
    });
  for (std::thread& client : clients) client.join();
  CHECK(wrong == 0);
  CHECK(answered > 0);
  CHECK(refused > 0);
  CHECK(answered + refused == 60);
}

TEST_CASE("serve: a model that is replaced while it is served is not explained by another") {
  TemporaryFolder folder;
  const std::string model = folder / "model";
  std::filesystem::copy(world().model, model, std::filesystem::copy_options::recursive);
  const Server server({model}), early({model});
  REQUIRE(server.port > 0);
  const std::string map = ask(early, request(world().photos[0], "", "/explain"));
  CHECK(status_of(map) == 200);
  emotion::EmotionModel other = emotion::load_model(model);
  other.remarks["another"] = "fit";
  emotion::save_model(other, model);
  const std::string response = ask(server, request(world().photos[0], "", "/explain"));
  CHECK(status_of(response) == 500);
  CHECK(body_of(response).find("no longer those that the server began with") != std::string::npos);
  CHECK(response.find(model) == std::string::npos);
  // What has been opened stays.
  CHECK(ask(early, request(world().photos[0], "", "/explain")) == map);
  CHECK(status_of(ask(server, request(world().photos[0]))) == 200);
}
