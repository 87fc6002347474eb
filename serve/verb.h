#pragma once
#include "limbic/cli/verbs.h"

namespace limbic::serve {

/// The verb `limbic serve`.
void add_serve(const cli::Verb& app, const cli::Common& common, cli::Action& action);

}  // namespace limbic::serve
