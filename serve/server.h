#pragma once
// serve: an HTTP server and its page, over the C interface alone.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "limbic/limbic_c.h"

namespace limbic::serve {

struct Options {
  std::string host = "127.0.0.1";
  int port = 8080;                        ///< 0: any that is free.
  std::string token;                      ///< Asked for in every POST; empty: none.
  int64_t max_bytes = int64_t{32} << 20;  ///< Of a request's body.
  int64_t max_pictures = 64;              ///< In a request.
  int64_t max_waiting = 256;  ///< Pictures that wait to be computed; more are answered 503.
  int connections = 32;       ///< That are served at the same time.
  int read_seconds = 20;      ///< For a whole request to come.
  /// JSON of what spoke for the answer to a picture, for POST /explain; empty: nobody can say. One
  /// call at a time. Throws Error, whose message whoever asks may see.
  std::function<std::string(std::string_view file)> explain = {};
};

/// Answers requests until SIGINT or SIGTERM, then finishes those that have come, and returns 0. A
/// picture waits for what is being computed when it comes, and for nothing else (batcher.h).
/// `started` is told the port before the first request. Throws Error where it cannot listen.
int run(limbic_model* model, const Options& options, const std::function<void(int port)>& started);

/// What a connection that sends these bytes and ends is answered, by a server without a socket: for
/// tests of what may come over one.
std::function<std::string(std::string_view bytes)> without_socket(limbic_model* model,
                                                                  const Options& options);

}  // namespace limbic::serve
