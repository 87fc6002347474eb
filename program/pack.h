#pragma once
#include "limbic/cli/verbs.h"

namespace limbic::program {

/// The verb `limbic pack MODEL_DIR OUT`: this program and a model in one file, which then says what
/// the model says of the photos on its command line.
void add_pack(const cli::Verb& app, const cli::Common& common, cli::Action& action);

/// Whether this program is such a file.
bool is_packed();
/// What it does then. The exit status.
int run_packed(int argc, char** argv);

}  // namespace limbic::program
