#include "tests/weights/mutations.h"

#include <doctest/doctest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <new>
#include <numeric>

#include "limbic/core/error.h"
#include "tests/sanitized.h"
#include "tests/weights/zip_writer.h"

namespace limbic {
namespace {

// Of this thread, so that a busy machine makes no test fail.
double processor_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Bytes of writable memory that the process has mapped, which RLIMIT_DATA is held against.
rlim_t data_bytes() {
  std::ifstream statm("/proc/self/statm");
  rlim_t fields[6] = {};
  for (rlim_t& field : fields) statm >> field;
  return fields[5] * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

// Lets the process take `bytes` more while it lives.
class MemoryLimit {
 public:
  explicit MemoryLimit(uint64_t bytes) {
    if (sanitized) return;
    ::malloc_trim(0);  // what earlier files left free must not hide what this one takes
    ::getrlimit(RLIMIT_DATA, &before_);
    rlimit limited = before_;
    limited.rlim_cur = data_bytes() + bytes;
    ::setrlimit(RLIMIT_DATA, &limited);
  }
  ~MemoryLimit() {
    if (!sanitized) ::setrlimit(RLIMIT_DATA, &before_);
  }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

 private:
  rlimit before_{};
};

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

uint64_t extreme(Random& random) {
  const uint64_t power = uint64_t{1} << random.below(64);
  return power + static_cast<uint64_t>(random.below(3)) - 1;
}

void mutate_bytes(std::vector<uint8_t>& bytes, Random& random) {
  for (int64_t i = random.below(4); i >= 0 && !bytes.empty(); --i) {
    const auto size = static_cast<int64_t>(bytes.size());
    const int64_t at = random.below(size), run = 1 + random.below(std::min<int64_t>(16, size - at));
    const auto place = bytes.begin() + at;
    switch (random.below(6)) {
      case 0:
        *place = static_cast<uint8_t>(*place ^ 1 << random.below(8));
        break;
      case 1:
        *place = static_cast<uint8_t>(random.below(256));
        break;
      case 2:
        bytes.erase(place, place + run);
        break;
      case 3: {
        const std::vector<uint8_t> copy(place, place + run);
        bytes.insert(place, copy.begin(), copy.end());
        break;
      }
      case 4: {
        const uint64_t number = extreme(random);
        std::memcpy(&*place, &number, static_cast<size_t>(std::min<int64_t>(8, size - at)));
        break;
      }
      default:
        if (random.below(4) == 0) bytes.resize(static_cast<size_t>(at));
    }
  }
}

}  // namespace limbic
