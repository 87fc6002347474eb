#pragma once
#include "limbic/cli/verbs.h"

namespace limbic::explain {

/// The verb `limbic explain`.
void add_explain(const cli::Verb& app, const cli::Common& common, cli::Action& action);

}  // namespace limbic::explain
