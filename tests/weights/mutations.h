#pragma once
// What every reader of hostile files must keep, whatever the bytes.
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "limbic/core/file.h"
#include "limbic/core/random.h"
#include "limbic/core/tensor.h"

namespace limbic {

/// How many mutated files a test tries: the environment's LIMBIC_MUTATIONS, else `usual`.
int64_t mutation_count(int64_t usual);

using TensorReader = std::function<std::map<std::string, Tensor>(const MappedFile&)>;

/// Reads `bytes` as the file "x" and every byte of the tensors. Either that works (returns true),
/// or the reader throws an Error of one line that begins with "x: ". It takes at most 5 seconds
/// and, in builds without sanitizers, twice the file's size and 64 MB of memory, by RLIMIT_DATA.
/// Anything else fails the test.
bool survives(const std::vector<uint8_t>& bytes, const TensorReader& read);

/// One to four of: a bit flipped, a byte set, bytes cut out, put in twice, or set to an extreme
/// number; or the file cut.
void mutate_bytes(std::vector<uint8_t>& bytes, Random& random);

/// A number that readers get wrong: 0, -1, near powers of two.
uint64_t extreme(Random& random);

}  // namespace limbic
