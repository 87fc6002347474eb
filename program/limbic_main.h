#pragma once
#include <vector>

#include "limbic/models/models.h"

namespace limbic {

/// The command `limbic`, all its verbs, which know these networks too: `--model` takes their names.
/// The exit status of the program. An `own` that cannot be taken is an error of one line.
int limbic_main(int argc, char** argv, std::vector<models::Architecture> own = {});

}  // namespace limbic
