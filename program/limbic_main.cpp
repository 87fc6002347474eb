#include "limbic/program/limbic_main.h"

#include "limbic/cli/console.h"
#include "limbic/cli/program.h"
#include "limbic/core/error.h"
#include "limbic/explain/verb/verb.h"
#include "limbic/program/pack.h"
#ifdef LIMBIC_REPRODUCE
#include "limbic/reproduce/verb.h"
#endif
#ifdef LIMBIC_SERVE
#include "limbic/explain/verb/answer.h"
#include "limbic/serve/verb.h"
#endif

namespace limbic {

#ifdef LIMBIC_SERVE
namespace {

// The server knows the C interface alone; what its page lays over a photo comes from `explain`.
std::function<std::string(std::string_view)> explain_of(const std::string& path,
                                                        const limbic_open_options& options) {
  const auto text = [](const char* t) { return std::string(t ? t : ""); };
  return explain::map_answers({.path = path,
                               .model = text(options.model),
                               .state = text(options.state),
                               .preset = text(options.preset),
                               .image_size = options.image_size,
                               .labels = text(options.labels)});
}

void add_serve(const cli::Verb& app, const cli::Common& common, cli::Action& action) {
  serve::add_serve(app, common, action, explain_of);
}

}  // namespace
#endif

int limbic_main(int argc, char** argv, std::vector<models::Architecture> own) {
  try {
    for (models::Architecture& a : own) models::add_architecture(std::move(a));
  } catch (const Error& e) {
    cli::say_failed(e.what());
    return 1;
  }
  if (program::is_packed()) return program::run_packed(argc, argv);
  auto verbs = cli::own_verbs();
  verbs.push_back(program::add_pack);
  verbs.push_back(explain::add_explain);
#ifdef LIMBIC_REPRODUCE
  verbs.push_back(reproduce::add_reproduce);
#endif
#ifdef LIMBIC_SERVE
  verbs.push_back(add_serve);
#endif
  return cli::run_program(
      argc, argv, verbs,
      "Limbic: convolutional networks on CPUs, and the emotion that a photo evokes.\n"
      "Start with `limbic demo`, then `limbic fit --data FOLDER --out MODEL`.");
}

}  // namespace limbic
