#include "limbic/serve/server.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <future>
#include <map>
#include <random>
#include <set>

#include "limbic/core/error.h"
#include "limbic/core/parallel.h"
#include "limbic/serve/batcher.h"
#include "limbic/serve/connections.h"
#include "limbic/serve/memory_stream.h"
#include "limbic/serve/metrics.h"

namespace limbic::serve {
namespace {

using httplib::Request;
using httplib::Response;

// The page, with {{nonce}} where its script and style say whose they are.
constexpr std::string_view page =
#include "page.inc"
    ;

std::string in_quotes(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + '"';
}

// Compares all of it, so that the time does not tell how much was right.
bool same(const std::string& a, const std::string& b) {
  unsigned char difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i] ^ b[b.empty() ? 0 : i % b.size()]);
  return difference == 0;
}

std::string without_port(const std::string& host) {
  const size_t colon = host.rfind(':');
  return colon != host.npos && host.find(']', colon) == host.npos ? host.substr(0, colon) : host;
}

std::string random_word() {
  std::random_device random;
  std::string out;
  for (int i = 0; i < 4; ++i) out += std::to_string(random());
  return out;
}

// SIGINT and SIGTERM, whichever thread they come to, as something to wait for.
class Signals {
 public:
  Signals() {
    require(::pipe2(pipe_.data(), O_CLOEXEC) == 0, "serve: no pipe: ", std::strerror(errno));
    into = pipe_[1];
    struct sigaction action {};
    action.sa_handler = [](int) { tell(); };
    ::sigaction(SIGINT, &action, &interrupt_before_);
    ::sigaction(SIGTERM, &action, &terminate_before_);
  }
  ~Signals() {
    ::sigaction(SIGINT, &interrupt_before_, nullptr);
    ::sigaction(SIGTERM, &terminate_before_, nullptr);
    for (int end : pipe_) ::close(end);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  void wait() const {
    char byte = 0;
    while (::read(pipe_[0], &byte, 1) < 0 && errno == EINTR) {
    }
  }
  void end() const { tell(); }

 private:
  static void tell() {
    const int before = errno;
    [[maybe_unused]] const ssize_t ignored = ::write(into, "", 1);
    errno = before;
  }

  static inline std::atomic<int> into = -1;
  std::array<int, 2> pipe_{};
  struct sigaction interrupt_before_ {
  }, terminate_before_{};
};

// A refusal: status and reason.
struct Refused {
  int status;
  std::string reason;
};

class Application {
 public:
  Application(limbic_model* model, const Options& options, size_t batch)
      : model_(model),
        options_(options),
        batcher_(model, batch, static_cast<size_t>(options.max_waiting),
                 static_cast<size_t>(std::max(1, available_cores()))),
        server_(options.connections, options.read_seconds) {
    server_.set_pre_routing_handler([this](const Request& request, Response& response) {
      return guard(request, response, [&] { check(request); })
                 ? httplib::Server::HandlerResponse::Unhandled
                 : httplib::Server::HandlerResponse::Handled;
    });
    server_.set_expect_100_continue_handler([this](const Request& request, Response& response) {
      return guard(request, response, [&] { check(request); }) ? 100 : response.status;
    });
    server_.set_payload_max_length(static_cast<size_t>(options.max_bytes));
    server_.set_error_handler([](const Request&, Response& response) {
      if (response.body.empty()) say(response, response.status, "there is nothing here");
    });
    server_.set_exception_handler([](const Request&, Response& response, std::exception_ptr) {
      say(response, 500, "failed");
    });
    server_.set_post_routing_handler([this](const Request&, const Response& response) {
      metrics_.count_response(response.status);
    });
    server_.Get("/", [](const Request&, Response& response) { show_page(response); });
    server_.Get("/health", [](const Request&, Response& response) {
      response.set_content("{\"status\":\"ok\"}", "application/json");
    });
    server_.Get("/ready", [this](const Request&, Response& response) {
      const bool full = batcher_.waiting() >= static_cast<size_t>(options_.max_waiting);
      if (full) return say(response, 503, "too many pictures wait");
      response.set_content("{\"status\":\"ready\"}", "application/json");
    });
    server_.Get("/metrics", [this](const Request&, Response& response) {
      response.set_content(metrics_.text(batcher_.waiting()), "text/plain; version=0.0.4");
    });
    server_.Post("/predict", [this](const Request& request, Response& response,
                                    const httplib::ContentReader& read) {
      guard(request, response, [&] { predict(request, response, read); });
    });
    if (!options_.explain) return;
    server_.Post("/explain", [this](const Request& request, Response& response,
                                    const httplib::ContentReader& read) {
      guard(request, response, [&] { explain(request, response, read); });
    });
  }

  std::string answer(std::string_view bytes) {
    MemoryStream stream(bytes);
    server_.serve(stream);
    return std::move(stream.answers);
  }

  int run(const std::function<void(int)>& started) {
    const std::string host = options_.host == "localhost" ? "127.0.0.1" : options_.host;
    int port = options_.port;
    if (port == 0)
      port = server_.bind_to_any_port(host);
    else if (!server_.bind_to_port(host, port))
      port = -1;
    require(port > 0, options_.host, ":", options_.port,
            ": cannot listen there; is the port taken? (--port N, 0 for any that is free)");
    const Signals signals;
    std::thread waiter([&] {
      signals.wait();
      server_.stop();
    });
    started(port);
    server_.listen_after_bind();
    signals.end();
    waiter.join();
    return 0;
  }

 private:
  static void say(Response& response, int status, const std::string& reason) {
    response.status = status;
    response.set_content("{\"error\":" + in_quotes(reason) + "}", "application/json");
  }

  // Whatever of the request has not been read cannot be the beginning of another.
  template <class Body>
  static bool guard(const Request&, Response& response, Body&& body) {
    try {
      body();
      return true;
    } catch (const Refused& refused) {
      say(response, refused.status, refused.reason);
      if (refused.status == 401) response.set_header("WWW-Authenticate", "Bearer");
      if (refused.status == 503) response.set_header("Retry-After", "1");
      Connections::close_after_this_request();
      return false;
    }
  }

  // What must hold of every request, before a byte of its body is read.
  void check(const Request& request) const {
    const size_t lengths = request.get_header_value_count("Content-Length");
    const bool chunked = request.has_header("Transfer-Encoding");
    if (lengths > 1 || (chunked && lengths > 0) || request.get_header_value_count("Host") > 1)
      throw Refused{400, "the request says twice how long it is, or who it is for"};
    if (chunked) throw Refused{411, "send the body with its Content-Length, and not in chunks"};
    if (request.has_header("Content-Encoding"))
      throw Refused{415, "send the picture as it is, without a Content-Encoding"};
    if (lengths == 1) {
      const std::string text = request.get_header_value("Content-Length");
      if (text.empty() || text.size() > 18 ||
          text.find_first_not_of("0123456789") != std::string::npos)
        throw Refused{400, "its Content-Length is no number"};
      if (std::stoll(text) > options_.max_bytes)
        throw Refused{413, str_cat("more than the ", options_.max_bytes, " bytes allowed here")};
    } else if (request.method == "POST") {
      throw Refused{411, "send the body with its Content-Length"};
    }
    // Without a token whoever reaches this machine's browser must not reach the server through it.
    const std::string host = without_port(request.get_header_value("Host"));
    static const std::set<std::string> own = {"127.0.0.1", "localhost", "[::1]", ""};
    if (options_.token.empty() && !own.contains(host) && host != options_.host)
      throw Refused{403, "this server answers to its own name alone"};
    if (request.has_header("Origin")) {
      const std::string origin = request.get_header_value("Origin"),
                        asked = request.get_header_value("Host");
      if (origin != "http://" + asked && origin != "https://" + asked)
        throw Refused{403, "a page of another origin may not ask"};
    }
    if (request.method == "POST" && !options_.token.empty() &&
        !same(request.get_header_value("Authorization"), "Bearer " + options_.token))
      throw Refused{401, "Authorization: Bearer TOKEN is missing or wrong"};
  }

  static void show_page(Response& response) {
    const std::string nonce = random_word();
    std::string html(page);
    for (size_t at; (at = html.find("{{nonce}}")) != html.npos;) html.replace(at, 9, nonce);
    response.set_header("Content-Security-Policy",
                        "default-src 'none'; connect-src 'self'; img-src blob: data:; style-src "
                        "'nonce-" +
                            nonce + "'; script-src 'nonce-" + nonce +
                            "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    response.set_header("X-Content-Type-Options", "nosniff");
    response.set_header("Cache-Control", "no-store");
    response.set_content(html, "text/html; charset=utf-8");
  }

  // The pictures of a request: its body, or each part of a form that has a file's name.
  std::vector<std::string> read_pictures(const Request& request,
                                         const httplib::ContentReader& read) const {
    std::vector<std::string> out;
    int64_t left = options_.max_bytes;
    bool too_large = false, too_many = false;
    const auto take = [&](const char* data, size_t n) {
      left -= static_cast<int64_t>(n);
      too_large = left < 0;
      if (too_large || out.empty()) return !too_large;
      out.back().append(data, n);
      return true;
    };
    const bool whole = request.is_multipart_form_data()
                           ? read(
                                 [&](const httplib::MultipartFormData&) {
                                   too_many = std::ssize(out) == options_.max_pictures;
                                   if (!too_many) out.emplace_back();
                                   return !too_many;
                                 },
                                 take)
                           : (out.emplace_back(), read(take));
    if (too_large)
      throw Refused{413, str_cat("more than the ", options_.max_bytes, " bytes allowed here")};
    if (too_many)
      throw Refused{413, str_cat("more than ", options_.max_pictures, " pictures at once")};
    if (!whole) throw Refused{400, "the body did not come as its headers say"};
    Connections::request_has_come();
    if (out.empty() || (out.size() == 1 && out[0].empty()))
      throw Refused{400, "send a picture as the body, or pictures as parts of a form"};
    return out;
  }

  static size_t top_of(const Request& request) {
    if (!request.has_param("top")) return 5;
    const std::string text = request.get_param_value("top");
    if (text.empty() || text.size() > 6 || text.find_first_not_of("0123456789") != text.npos)
      throw Refused{400, "top: expected a number"};
    return static_cast<size_t>(std::stoul(text));
  }

  // Null, and why, where a file is no picture that can be used.
  Prepared prepare(const std::string& file, std::string& reason) const {
    const limbic_picture picture =
        limbic_picture_bytes(file.empty() ? "" : file.data(), file.size());
    limbic_prepared* prepared = nullptr;
    const limbic_status status = limbic_prepare(model_, &picture, &prepared);
    if (status == LIMBIC_OK) return {prepared, [](limbic_prepared* p) { limbic_prepared_free(p); }};
    if (status == LIMBIC_OUT_OF_MEMORY) throw Refused{503, "no memory for this picture now"};
    reason = limbic_last_error();
    if (reason.starts_with("picture: ")) reason.erase(0, 9);
    return {};
  }

  // One after another: who asks for an explanation can wait, and predictions shall not.
  void explain(const Request& request, Response& response, const httplib::ContentReader& read) {
    const std::vector<std::string> pictures = read_pictures(request, read);
    if (pictures.size() > 1) throw Refused{400, "one picture at a time is explained"};
    std::string reason;
    if (!prepare(pictures[0], reason)) throw Refused{415, reason};
    const auto leave = [this](void*) { --explaining_; };
    const std::unique_ptr<void, decltype(leave)> place(this, leave);
    if (++explaining_ > options_.max_waiting)
      throw Refused{503, "too many pictures wait; ask again in a moment"};
    const std::lock_guard lock(explaining_mutex_);
    try {
      // In a thread that ends: it leaves its crew (threads/pool.cpp) to the next one, where each
      // connection's thread would keep one.
      auto answer = std::async(std::launch::async, [&] { return options_.explain(pictures[0]); });
      response.set_content(answer.get(), "application/json");
    } catch (const Error& error) {
      throw Refused{500, error.what()};
    } catch (const std::bad_alloc&) {
      throw Refused{503, "no memory for this picture now"};
    }
  }

  void predict(const Request& request, Response& response, const httplib::ContentReader& read) {
    const auto start = std::chrono::steady_clock::now();
    const size_t top = top_of(request);
    const std::vector<std::string> pictures = read_pictures(request, read);
    std::vector<Prepared> usable;
    std::vector<std::string> lines(pictures.size());  // of those that cannot be used
    for (size_t i = 0; i < pictures.size(); ++i)
      if (Prepared prepared = prepare(pictures[i], lines[i])) usable.push_back(std::move(prepared));
    if (usable.empty()) throw Refused{415, lines[0]};
    const auto replies = batcher_.ask(usable);
    if (!replies) throw Refused{503, "too many pictures wait; ask again in a moment"};
    std::string body;
    auto reply = replies->begin();
    for (const std::string& reason : lines) {
      if (!body.empty()) body += ",\n";
      body += reason.empty() ? answer_of(*reply++, top) : "{\"error\":" + in_quotes(reason) + "}";
    }
    response.set_content(pictures.size() > 1 ? "[" + body + "]" : body, "application/json");
    metrics_.count_pictures(replies->size(), std::chrono::steady_clock::now() - start);
  }

  static std::string answer_of(const Reply& reply, size_t top) {
    if (!reply.error.empty()) throw Refused{500, reply.error};
    const char* line = limbic_answer_json(reply.answers.get(), reply.row, nullptr, top);
    if (!line) throw Refused{500, limbic_last_error()};
    return line;
  }

  limbic_model* model_;
  const Options options_;
  Metrics metrics_;
  Batcher batcher_;
  std::atomic<int64_t> explaining_ = 0;
  std::mutex explaining_mutex_;
  Connections server_;
};

}  // namespace

namespace {

size_t batch_of(limbic_model* model) {
  limbic_model_info info{};
  info.size = sizeof info;
  require(limbic_get_model_info(model, &info) == LIMBIC_OK, limbic_last_error());
  return info.batch;
}

}  // namespace

int run(limbic_model* model, const Options& options, const std::function<void(int)>& started) {
  require(limbic_warm_up(model) == LIMBIC_OK, limbic_last_error());
  return Application(model, options, batch_of(model)).run(started);
}

std::function<std::string(std::string_view)> without_socket(limbic_model* model,
                                                            const Options& options) {
  auto application = std::make_shared<Application>(model, options, batch_of(model));
  return [application](std::string_view bytes) { return application->answer(bytes); };
}

}  // namespace limbic::serve
