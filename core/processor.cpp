#include "limbic/core/processor.h"

#include <fstream>

namespace limbic {

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) {
      const size_t colon = line.find(": ");
      if (colon != std::string::npos) return line.substr(colon + 2);
    }
  return "unknown processor";
}

#if defined(__x86_64__)
bool has_bf16_instructions() {
  return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw");
}
bool has_int8_instructions() {
  return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw");
}
#else
bool has_bf16_instructions() { return false; }
bool has_int8_instructions() { return false; }
#endif

}  // namespace limbic
