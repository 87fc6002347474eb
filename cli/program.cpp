#include "limbic/cli/program.h"

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "limbic/cli/svm_options.h"
#include "limbic/cli/verbs.h"
#include "limbic/core/error.h"
#include "limbic/core/json_numbers.h"
#include "limbic/core/parallel.h"
#include "limbic/core/processor.h"
#include "limbic/core/version.h"
#include "limbic/io/decode.h"
#include "limbic/nn/cpu/onednn/compat.h"
#ifdef LIMBIC_KERAS
#include "limbic/weights/keras/keras.h"
#endif

namespace limbic::cli {
namespace {

// `limbic --version`: everything that an answer may depend on.
std::string version_text() {
  const auto has = [](bool yes, const char* what) { return str_cat(yes ? ", " : ", no ", what); };
  return str_cat("limbic ", version(), "\n", processor_name(), ", ", available_cores(), " cores",
                 has(onednn::has_bf16_instructions(), "bf16"),
                 has(onednn::has_int8_instructions(), "int8"), " instructions\noneDNN ",
                 onednn::version(), ", kernels for ", onednn::kernels(), "\n",
                 "the SVM's matrix products: Limbic's own, by Highway", "\n", highway_version());
}

}  // namespace

std::vector<AddVerb> own_verbs() {
  std::vector<AddVerb> verbs = {add_predict,   add_evaluate,   add_validate, add_classify,
                                add_extract,   add_merge,      add_summary,  add_svm_predict,
                                add_svm_scale, add_check_data, add_bench,    add_convert,
                                add_compare,   add_weights,    add_verify,   add_inspect};
#ifdef LIMBIC_TRAINING
  verbs.insert(verbs.begin(), {add_demo, add_fit, add_train, add_sweep});
  verbs.insert(verbs.end(), {add_svm_train, add_svm_grid});
#endif
  return verbs;
}

namespace {

// Without training: the words of those who look for it.
bool is_left_out([[maybe_unused]] const std::string& verb) {
#ifdef LIMBIC_TRAINING
  return false;
#else
  for (const char* left : {"demo", "fit", "train", "sweep", "svm-train", "svm-grid"})
    if (verb == left) return true;
  return false;
#endif
}

}  // namespace

int run_program(int argc, char** argv, const std::vector<AddVerb>& verbs,
                const std::string& description) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file that becomes too large is an error like a full disk
#ifdef LIMBIC_KERAS
  weights::formats().push_back(weights::keras_format);
#endif
  command_line() = "limbic";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool plain = !word.empty() && word.find_first_of(" \t\n'\"\\$*?;&|<>()#") == word.npos;
    command_line() += plain ? " " + word : " '" + word + "'";
  }
  if (argc > 1 && is_left_out(argv[1])) {
    say_failed(str_cat(argv[1], ": this program was built for inference alone"));
    return wrong_usage;
  }
  CommandLine program("limbic", description, version_text);
  Common common;
  const Verb all = program.verb();
  all.add_option("--threads", common.threads, "threads (0: all cores that may be used)")
      .check(range(0, 4096));
  all.add_option("--seed", common.seed, "of all randomness");
  all.add_flag("--quiet", common.quiet, "no progress, no remarks");
  all.add_option("--max-pixels", common.max_pixels, "of a picture; larger ones are refused")
      .check(range(1.0, 1e12));
  all.add_option("--format", common.format, "text or json").check(one_of({"text", "json"}));

  Action action;
  for (const AddVerb add : verbs) add(all, common, action);
  const auto rewrite = [](const std::string& verb, std::vector<std::string>& arguments) {
    if (verb == "svm-train" || verb == "svm-grid") arguments = rewrite_libsvm_flags(arguments);
  };
  if (const auto status = program.parse({argv + 1, argv + argc}, rewrite)) return *status;
  try {
    if (common.threads > 0 || communicator().size() == 1) set_threads(common.threads);
    io::set_most_pixels(common.max_pixels);
    const int status = action();
    require(std::fflush(stdout) == 0 && !std::ferror(stdout), "standard output: cannot write");
    return status;
  } catch (const Interrupted&) {
    end_interrupted();
  } catch (const std::bad_alloc&) {
    say_failed("out of memory; try a smaller --batch-size or --image-size");
  } catch (const std::filesystem::filesystem_error& e) {
    say_failed(e.path1().string() + ": " + e.code().message());
  } catch (const nlohmann::json::exception& e) {
    say_failed(reason_of(e));
  } catch (const std::system_error& e) {
    const bool thread = e.code() == std::errc::resource_unavailable_try_again;  // std::thread's
    say_failed(std::string(e.what()) +
               (thread ? ": no room for a thread; raise the limit (ulimit -v, -u) or use fewer "
                         "--threads"
                       : ""));
  } catch (const std::exception& e) {
    say_failed(e.what());
  }
  return failed;
}

}  // namespace limbic::cli
