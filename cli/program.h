#pragma once
#include <string>
#include <vector>

#include "limbic/cli/verbs.h"

namespace limbic::cli {

using AddVerb = void (*)(const Verb& app, const Common& common, Action& action);

/// The verbs of this room.
std::vector<AddVerb> own_verbs();

/// The program `limbic` with these verbs: what main does. The exit status.
int run_program(int argc, char** argv, const std::vector<AddVerb>& verbs,
                const std::string& description);

}  // namespace limbic::cli
