#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>

#include "cli/svm_data.h"
#include "cli/verbs.h"
#include "limbic/core/error.h"
#include "limbic/core/parallel.h"
#include "limbic/core/processor.h"
#include "limbic/core/version.h"
#include "limbic/nn/cpu/onednn/compat.h"
#ifdef LIMBIC_KERAS
#include "limbic/weights/keras/keras.h"
#endif

namespace {

// Where the verb stands: the first argument that is no option of the program's own.
size_t verb_position(const CLI::App& app, const std::vector<std::string>& arguments) {
  size_t at = 0;
  while (at < arguments.size() && arguments[at].starts_with('-')) {
    const CLI::Option* option = app.get_option_no_throw(arguments[at]);
    at += option && option->get_expected_max() > 0 ? 2 : 1;  // --threads 2; not --threads=2
  }
  return at;
}

bool is_verb(const CLI::App& app, const std::string& name) {
  const auto verbs = app.get_subcommands([](const CLI::App*) { return true; });
  return std::any_of(verbs.begin(), verbs.end(),
                     [&](const CLI::App* verb) { return verb->get_name() == name; });
}

// `limbic --version`: everything that an answer may depend on.
std::string version_text() {
  using namespace limbic;
  const auto has = [](bool yes, const char* what) { return str_cat(yes ? ", " : ", no ", what); };
  return str_cat("limbic ", version(), "\n", processor_name(), ", ", available_cores(), " cores",
                 has(has_bf16_instructions(), "bf16"), has(has_int8_instructions(), "int8"),
                 " instructions\noneDNN ", onednn::version(), ", kernels for ", onednn::kernels(),
                 "\n", svm::gemm_version(), "\n", highway_version());
}

// No option means anything as NaN or infinity, which pass the usual checks of ranges, or as the
// 2^64 - 1 that strtoull makes of -1.
void refuse_strange_numbers(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    const std::string type = option->get_type_name();
    if (type.starts_with("FLOAT"))
      option->check(CLI::Validator(*limbic::cli::finite_number()).description(""));
    if (type.starts_with("UINT"))
      option->check(CLI::Validator(*limbic::cli::not_negative()).description(""));
  }
  for (CLI::App* verb : app.get_subcommands([](CLI::App*) { return true; }))
    refuse_strange_numbers(*verb);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace limbic::cli;
  std::signal(SIGXFSZ, SIG_IGN);  // a file that becomes too large is an error like a full disk
#ifdef LIMBIC_KERAS
  limbic::weights::formats().push_back(limbic::weights::keras_format);
#endif
  CLI::App app(
      "Limbic: convolutional networks on CPUs, and the emotion that a photo evokes.\n"
      "Start with `limbic demo`, then `limbic fit --data FOLDER --out MODEL`.",
      "limbic");
  app.require_subcommand(1);
  app.set_version_flag("--version", version_text,
                       "version, processor, libraries and the kernels that they chose");
  app.fallthrough();
  Common common;
  app.add_option("--threads", common.threads, "threads (0: all cores that may be used)")
      ->check(CLI::Range(0, 4096));
  app.add_option("--seed", common.seed, "of all randomness");
  app.add_flag("--quiet", common.quiet, "no progress, no remarks");
  app.add_option("--format", common.format, "text or json")->check(CLI::IsMember({"text", "json"}));

  Action action;
  for (const auto add : {add_demo,        add_fit,       add_predict,  add_evaluate, add_train,
                         add_validate,    add_classify,  add_extract,  add_summary,  add_svm_train,
                         add_svm_predict, add_svm_scale, add_svm_grid, add_sweep,    add_check_data,
                         add_bench,       add_convert,   add_compare,  add_weights,  add_verify})
    add(Verb(app), common, action);
  refuse_strange_numbers(app);
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const size_t at = verb_position(app, arguments);
  const std::string name = at < arguments.size() ? arguments[at] : "";
  if (!name.empty() && !is_verb(app, name)) {
    std::fprintf(stderr, "limbic: unknown verb '%s'; see limbic --help\n", name.c_str());
    return wrong_usage;
  }
  if (name == "svm-train" || name == "svm-grid") arguments = rewrite_libsvm_flags(arguments);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app.parse(arguments);
  } catch (const CLI::Success& e) {
    return app.exit(e);  // --help
  } catch (const CLI::ParseError& e) {
    const auto chosen = app.get_subcommands();
    const std::string verb = chosen.empty() ? "" : chosen[0]->get_name() + " ";
    std::fprintf(stderr, "limbic: %s; see limbic %s--help\n", e.what(), verb.c_str());
    return wrong_usage;
  }
  try {
    limbic::set_threads(common.threads);
    const int status = action();
    limbic::require(std::fflush(stdout) == 0 && !std::ferror(stdout),
                    "standard output: cannot write");
    return status;
  } catch (const std::bad_alloc&) {
    end_progress();
    std::fprintf(stderr, "limbic: out of memory; try a smaller --batch-size or --image-size\n");
  } catch (const std::exception& e) {
    end_progress();
    std::fprintf(stderr, "limbic: %s\n", e.what());
  }
  return failed;
}
