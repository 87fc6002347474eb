#include "limbic/serve/verb.h"

#include <malloc.h>

#include <cstdio>
#include <memory>

#include "limbic/cli/network.h"
#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/serve/server.h"

namespace limbic::serve {
namespace {

using cli::Common;

struct Arguments {
  std::string folder, model, weights, state, preset, labels, token_file;
  int64_t image_size = 0, batch_size = 8, max_megabytes = 32;
  Options server;
  MakeExplain explain = nullptr;
};

std::string read_token(const std::string& path) {
  const auto bytes = read_file(path, 4096);
  std::string token(bytes.begin(), bytes.end());
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  require(token.size() >= 8 && token.find_first_of(" \t\r\n") == token.npos, path,
          ": expected a token of 8 characters or more, without blanks");
  return token;
}

const char* or_null(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

// Memory that was free once stays free: a large picture's goes back to the system at once, and two
// arenas serve all connections, so that what each thread once needed is not kept for each.
void keep_memory_flat() {
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 8 << 20);
}

int run_verb(const Common& common, Arguments& a) {
  keep_memory_flat();
  require(a.folder.empty() != a.weights.empty(),
          "serve: give a model folder, or --weights and no folder");
  if (!a.token_file.empty()) a.server.token = read_token(a.token_file);
  const bool own = a.server.host == "127.0.0.1" || a.server.host == "localhost";
  require(
      own || !a.server.token.empty(), "--host ", a.server.host,
      ": others may reach it there, so it takes a --token-file with a word that they must know");
  limbic_open_options options{};
  options.size = sizeof options;
  options.model = or_null(a.model);
  options.state = or_null(a.state);
  options.preset = or_null(a.preset);
  options.labels = or_null(a.labels);
  options.image_size = a.image_size;
  options.batch = a.batch_size;
  limbic_model* model = nullptr;
  const std::string& path = a.folder.empty() ? a.weights : a.folder;
  require(limbic_open(path.c_str(), &options, &model) == LIMBIC_OK, limbic_last_error());
  const char* remark = nullptr;
  for (size_t i = 0; (remark = limbic_remark(model, i)) != nullptr; ++i) cli::note(common, remark);
  if (a.explain) a.server.explain = a.explain(path, options);
  a.server.max_bytes = a.max_megabytes << 20;
  const int status = run(model, a.server, [&](int port) {
    std::printf("http://%s:%d/\n", a.server.host.c_str(), port);
    std::fflush(stdout);
    cli::note(common, "drop a photo on this page; Ctrl-C ends the server");
  });
  limbic_model_free(model);
  return status;
}

}  // namespace

void add_serve(const cli::Verb& app, const Common& common, cli::Action& action,
               MakeExplain explain) {
  auto a = std::make_shared<Arguments>();
  a->explain = explain;
  const cli::Verb verb =
      cli::add_verb(app, action, "serve", "An HTTP server, and a page to drop photos on.",
                    "limbic serve model --port 8080", a, run_verb, common);
  verb.add_option("model_dir", a->folder, "model folder made by fit");
  verb.add_option("--model", a->model, "architecture of the weights (default: theirs)")
      .check(cli::known_model(false));
  verb.add_option("--weights", a->weights, "checkpoint, in place of a model folder");
  verb.add_option("--state", a->state, "which network, where the checkpoint holds several");
  verb.add_option("--preset", a->preset, "how pictures are prepared (default: the model's)");
  verb.add_option("--labels", a->labels, "text file with one class name a line");
  verb.add_option("--image-size", a->image_size, "of the network's input (0: the preset's)")
      .check(cli::range(0, 4096));
  verb.add_option("--host", a->server.host,
                  "address to listen on; another than this machine's own "
                  "needs --token-file");
  verb.add_option("--port", a->server.port, "0: any that is free").check(cli::range(0, 65535));
  verb.add_option("--token-file", a->token_file,
                  "file with the word that callers send as Authorization: Bearer WORD");
  verb.add_option("--batch-size", a->batch_size, "pictures computed at once")
      .check(cli::range(1, 4096));
  verb.add_option("--max-body", a->max_megabytes, "MB of a request").check(cli::range(1, 4096));
  verb.add_option("--max-waiting", a->server.max_waiting,
                  "pictures that may wait; beyond it the answer is 503")
      .check(cli::range(1, 1000000));
  verb.add_option("--timeout", a->server.read_seconds, "seconds that a request may take to come")
      .check(cli::range(1, 3600));
  verb.add_option("--connections", a->server.connections, "served at the same time")
      .check(cli::range(1, 1024));
}

}  // namespace limbic::serve
