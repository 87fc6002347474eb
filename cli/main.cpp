#include <algorithm>
#include <cstdio>

#include "cli/svm_data.h"
#include "cli/verbs.h"
#include "nn/core/error.h"
#include "nn/core/parallel.h"
#include "nn/core/processor.h"
#include "nn/core/version.h"
#include "nn/onednn/compat.h"

static bool is_verb(const CLI::App& app, const std::string& name) {
  const auto verbs = app.get_subcommands([](const CLI::App*) { return true; });
  return std::any_of(verbs.begin(), verbs.end(),
                     [&](const CLI::App* verb) { return verb->get_name() == name; });
}

// `limbic --version`: everything that an answer may depend on.
static std::string version_text() {
  using namespace limbic;
  const auto has = [](bool yes, const char* what) { return str_cat(yes ? ", " : ", no ", what); };
  return str_cat("limbic ", version(), "\n", processor_name(), ", ", available_cores(), " cores",
                 has(has_bf16_instructions(), "bf16"), has(has_int8_instructions(), "int8"),
                 " instructions\noneDNN ", onednn::version(), ", kernels for ", onednn::kernels(),
                 "\n", library_versions());
}

int main(int argc, char** argv) {
  using namespace limbic::cli;
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
    add(app, common, action);
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && arguments[0][0] != '-' && !is_verb(app, arguments[0])) {
    std::fprintf(stderr, "limbic: unknown verb '%s'; see limbic --help\n", arguments[0].c_str());
    return wrong_usage;
  }
  if (!arguments.empty() && (arguments[0] == "svm-train" || arguments[0] == "svm-grid"))
    arguments = rewrite_libsvm_flags(arguments);
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
