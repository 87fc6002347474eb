#pragma once
#include "limbic/baselines/baselines.h"

namespace limbic::baselines {

/// The pictures of adjective-noun pairs, one sub-folder a pair. Empty pairs are left out, and of
/// the others at most `most_pictures` in all are taken, as many of each, with a sentence in
/// `notes`. Throws Error as io::scan_folders does, and for fewer than two pairs.
io::Dataset read_pairs(const std::string& dir, int64_t most_pictures, uint64_t seed,
                       std::vector<std::string>& notes);

}  // namespace limbic::baselines
