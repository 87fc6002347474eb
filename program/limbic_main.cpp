#include "limbic/program/limbic_main.h"

#include <cstdio>

#include "limbic/cli/program.h"
#include "limbic/core/error.h"
#include "limbic/explain/verb/verb.h"
#include "limbic/program/pack.h"
#ifdef LIMBIC_REPRODUCE
#include "limbic/reproduce/verb.h"
#endif
#ifdef LIMBIC_SERVE
#include "limbic/serve/verb.h"
#endif

namespace limbic {

int limbic_main(int argc, char** argv, std::vector<models::Architecture> own) {
  try {
    for (models::Architecture& a : own) models::add_architecture(std::move(a));
  } catch (const Error& e) {
    std::fprintf(stderr, "limbic: %s\n", e.what());
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
  verbs.push_back(serve::add_serve);
#endif
  return cli::run_program(
      argc, argv, verbs,
      "Limbic: convolutional networks on CPUs, and the emotion that a photo evokes.\n"
      "Start with `limbic demo`, then `limbic fit --data FOLDER --out MODEL`.");
}

}  // namespace limbic
