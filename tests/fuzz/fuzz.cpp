// libFuzzer's entry: LIMBIC_FUZZ_TARGET names the target, LIMBIC_FUZZ_SEEDS a folder that its seeds
// are written into, without running. LIMBIC_FUZZ_TARGET=list prints all names.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "limbic/core/parallel.h"
#include "limbic/weights/keras/keras.h"
#include "tests/fuzz/target.h"

namespace {

using namespace limbic::fuzz;

const Target* chosen = nullptr;

void write_seeds(const std::string& folder) {
  int number = 0;
  for (const Bytes& seed : chosen->seeds())
    std::ofstream(folder + "/seed" + std::to_string(number++), std::ios::binary) << text_of(seed);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  limbic::set_threads(1);
  limbic::weights::formats().push_back(limbic::weights::keras_format);
  const char* name = std::getenv("LIMBIC_FUZZ_TARGET");
  if (!name || std::string(name) == "list") {
    for (const Target& target : targets()) std::puts(target.name.c_str());
    std::exit(0);
  }
  chosen = &target(name);
  if (const char* seeds = std::getenv("LIMBIC_FUZZ_SEEDS")) {
    write_seeds(seeds);
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (const std::string wrong = fault(*chosen, {data, data + size}); !wrong.empty()) {
    std::fprintf(stderr, "FAULT: %s\n", wrong.c_str());
    std::abort();
  }
  return 0;
}

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

// libFuzzer's own changes, and now and then a run of bytes repeated until nothing more fits.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  if (seed % 64 != 0) return LLVMFuzzerMutate(data, size, most);
  Bytes bytes(data, data + size);
  mutate(bytes, seed / 64, most);
  bytes.resize(std::min(bytes.size(), most));
  std::copy(bytes.begin(), bytes.end(), data);
  return bytes.size();
}
