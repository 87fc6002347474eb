#include "tests/weights/mutations.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>
#include <new>
#include <numeric>

#include "limbic/core/error.h"
#include "tests/memory_limit.h"
#include "tests/weights/zip_writer.h"

namespace limbic {
namespace {

// Of this thread, so that a busy machine makes no test fail.
double processor_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// The Error's message, "" if it loads, "!..." for what must not happen.
std::string outcome(const MappedFile& file, const TensorReader& read) {
  const MemoryLimit limit(2 * file.bytes.size() + (uint64_t{64} << 20));
  try {
    for (const auto& [name, tensor] : read(file)) {
      const auto* data = static_cast<const uint8_t*>(tensor.raw());
      volatile int64_t sum = std::accumulate(data, data + tensor.bytes(), int64_t{0});
      (void)sum;
    }
  } catch (const Error& error) {
    return error.what();
  } catch (const std::bad_alloc&) {
    return "! memory";
  } catch (const std::exception&) {
    return "! another exception";
  }
  return "";
}

}  // namespace

int64_t mutation_count(int64_t usual) {
  const char* text = std::getenv("LIMBIC_MUTATIONS");
  return text ? std::atoll(text) : usual;
}

bool survives(const std::vector<uint8_t>& bytes, const TensorReader& read) {
  const MappedFile file = at_exact_size(bytes, "x");
  const double start = processor_seconds();
  const std::string message = outcome(file, read);
  const double seconds = processor_seconds() - start;
  CHECK(seconds < 5);
  if (message.empty()) return true;
  INFO(message);
  const bool one_line = message.starts_with("x: ") && message.find('\n') == std::string::npos;
  CHECK(one_line);
  CHECK(message.size() < 2000);
  return false;
}

}  // namespace limbic
