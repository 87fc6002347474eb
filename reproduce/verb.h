#pragma once
#include "limbic/cli/verbs.h"

namespace limbic::reproduce {

/// The verb `limbic reproduce`.
void add_reproduce(const cli::Verb& app, const cli::Common& common, cli::Action& action);

}  // namespace limbic::reproduce
