#include <algorithm>
#include <cstring>

#include "tests/weights/mutations.h"

namespace limbic {

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
