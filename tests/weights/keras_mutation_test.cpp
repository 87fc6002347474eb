// Damaged and hostile Keras files: each loads or throws Error with one line, within 5 s and within
// 2 x its size + 64 MB of memory. LIMBIC_MUTATIONS says how many (2000).
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <optional>
#include <set>

#include "limbic/core/clock.h"
#include "limbic/core/random.h"
#include "limbic/weights/keras/keras.h"
#include "tests/memory_limit.h"
#include "tests/weights/keras_goldens.h"

using namespace limbic;
using namespace limbic::weights;

namespace {

using Bytes = std::vector<uint8_t>;

// What became of a file: nothing where it loaded, else the error. Everything else fails the test.
std::optional<std::string> outcome(const Bytes& bytes) {
  const MappedFile file = file_of(bytes);
  const MemoryLimit limit(2 * bytes.size() + (uint64_t{64} << 20));
  try {
    uint64_t sum = 0;
    for (const auto& [name, tensor] : read_keras(file).tensors) {
      const auto* data = static_cast<const uint8_t*>(tensor.raw());
      sum = std::accumulate(data, data + tensor.bytes(), sum);
    }
    CHECK(sum < UINT64_MAX);
    return std::nullopt;
  } catch (const Error& error) {
    const std::string message = error.what();
    INFO(message);
    CHECK(message.starts_with("x.h5"));
    CHECK(message.find('\n') == std::string::npos);
    CHECK(message.find("out of memory") == std::string::npos);
    return message;
  } catch (const std::exception& other) {
    const std::string what = other.what();
    CAPTURE(what);
    FAIL_CHECK("not an Error");
    return what;
  }
}

uint64_t number_after(const std::string& text, const char* words) {
  const size_t at = text.find(words);
  return at == std::string::npos
             ? UINT64_MAX
             : std::strtoull(text.c_str() + at + std::strlen(words), nullptr, 10);
}

// Writes the checksum that an error asks for; false where it was about something else.
bool repair(Bytes& bytes, const std::string& error) {
  const uint64_t at = number_after(error, "at byte "), size = number_after(error, "after "),
                 wanted = number_after(error, "expected ");
  if (error.find("checksum") == std::string::npos || at + size + 4 > bytes.size()) return false;
  for (size_t i = 0; i < 4; ++i) bytes[at + size + i] = static_cast<uint8_t>(wanted >> (8 * i));
  return true;
}

// Where the structures of a file are, and the numbers of eight bytes that point to them.
struct Anatomy {
  std::vector<uint64_t> blocks, pointers, sizes;
};

uint64_t u64_at(const Bytes& bytes, uint64_t at) {
  uint64_t out = 0;
  std::memcpy(&out, bytes.data() + at, 8);
  return out;
}

void put(Bytes& bytes, uint64_t at, uint64_t value, uint64_t size) {
  for (uint64_t i = 0; i < size && at + i < bytes.size(); ++i)
    bytes[at + i] = static_cast<uint8_t>(value >> (8 * i));
}

Anatomy dissect(const Bytes& bytes) {
  static const std::set<std::string> signatures = {"TREE", "SNOD", "HEAP", "GCOL", "OHDR",
                                                   "OCHK", "FRHP", "FHDB", "FHIB", "BTHD",
                                                   "BTLF", "BTIN", "FAHD", "FADB"};
  Anatomy out;
  std::set<uint64_t> targets;
  for (uint64_t i = 8; i + 16 < bytes.size(); ++i) {
    const std::string four(bytes.begin() + static_cast<int64_t>(i),
                           bytes.begin() + static_cast<int64_t>(i) + 4);
    const bool header_1 = i % 8 == 0 && bytes[i] == 1 && bytes[i + 1] == 0 && bytes[i + 2] > 0 &&
                          bytes[i + 3] == 0 && bytes[i + 4] == 1 && bytes[i + 5] == 0;
    if (signatures.count(four) || header_1) targets.insert(i);
  }
  for (uint64_t i = 8; i + 8 < bytes.size(); ++i) {
    const uint64_t value = u64_at(bytes, i);
    if (targets.count(value)) out.pointers.push_back(i);
    if (value > 0 && value < 100'000) out.sizes.push_back(i);
  }
  out.blocks.assign(targets.begin(), targets.end());
  return out;
}

class Mutator {
 public:
  Mutator(const Bytes& bytes, const Anatomy& anatomy, Random& random)
      : bytes_(bytes), anatomy_(anatomy), random_(random) {}

  Bytes mutate() {
    for (int64_t i = random_.below(3); i >= 0; --i) change();
    return std::move(bytes_);
  }

 private:
  uint64_t below(uint64_t n) {
    return static_cast<uint64_t>(random_.below(static_cast<int64_t>(n)));
  }
  uint64_t any(const std::vector<uint64_t>& from) {
    return from.empty() ? below(bytes_.size()) : from[below(from.size())];
  }
  // Mostly near the beginning of a structure; never in the file's signature.
  uint64_t place() {
    const uint64_t at = below(4) ? any(anatomy_.blocks) + below(64) : below(bytes_.size());
    return std::max<uint64_t>(8, at % bytes_.size());
  }

  void change() {
    static constexpr uint64_t awkward[] = {
        0,          1,          2,          0x7f,       0xff,          0x7fff,
        0xffff,     0x7fffffff, 0xffffffff, 1ull << 31, 1ull << 40,    1ull << 61,
        1ull << 62, INT64_MAX,  1ull << 63, UINT64_MAX, UINT64_MAX - 7};
    switch (below(9)) {
      case 0:
        bytes_[place()] ^= static_cast<uint8_t>(1u << below(8));
        break;
      case 1:
        bytes_[place()] = static_cast<uint8_t>(below(256));
        break;
      case 2:  // a link to itself, its parent, another structure's inside: loops and overlaps
        put(bytes_, any(anatomy_.pointers), any(anatomy_.blocks) + (below(8) ? 0 : below(64)), 8);
        break;
      case 3:
        put(bytes_, any(anatomy_.pointers), below(bytes_.size() + 64), 8);
        break;
      case 4:  // dimensions, sizes, counts
        put(bytes_, any(anatomy_.sizes), awkward[below(std::size(awkward))], 8);
        break;
      case 5: {
        const uint64_t at = any(anatomy_.sizes);
        if (at + 8 <= bytes_.size()) put(bytes_, at, u64_at(bytes_, at) * (2 + below(100)), 8);
        break;
      }
      case 6:
        put(bytes_, place(), awkward[below(std::size(awkward))], uint64_t{1} << below(4));
        break;
      case 7: {  // one structure's bytes over another's
        const uint64_t from = any(anatomy_.blocks), to = any(anatomy_.blocks);
        for (uint64_t i = 0, n = below(200); i < n; ++i)
          if (from + i < bytes_.size() && to + i < bytes_.size()) bytes_[to + i] = bytes_[from + i];
        break;
      }
      default:
        if (below(4) == 0) bytes_.resize(std::max<uint64_t>(9, below(bytes_.size())));
    }
  }

  Bytes bytes_;
  const Anatomy& anatomy_;
  Random& random_;
};

// A .keras archive checks its members' CRCs, of which 0 is none.
void drop_crcs(Bytes& bytes) {
  for (uint64_t i = 0; i + 30 < bytes.size(); ++i)
    if (std::memcmp(bytes.data() + i, "PK\x01\x02", 4) == 0) put(bytes, i + 16, 0, 4);
}

Bytes golden_bytes(const ZipMember& member) {
  const MappedFile file = keras_goldens().read(member, uint64_t{1} << 20);
  Bytes out(file.bytes.begin(), file.bytes.end());
  if (is_zip({reinterpret_cast<const char*>(out.data()), out.size()})) drop_crcs(out);
  return out;
}

int64_t wanted_mutations() {
  const char* text = std::getenv("LIMBIC_MUTATIONS");
  return text ? std::strtoll(text, nullptr, 10) : 2000;
}

}  // namespace

TEST_CASE("keras: mutated files load or throw Error, soon and within their memory") {
  std::vector<Bytes> files;
  std::vector<Anatomy> anatomies;
  for (const ZipMember& member : keras_goldens().members()) {
    if (member.name.ends_with(".json") || member.name == "bomb.h5") continue;
    files.push_back(golden_bytes(member));
    anatomies.push_back(dissect(files.back()));
  }
  const int64_t mutations = wanted_mutations();
  int64_t loaded = 0, repaired = 0;
  double slowest = 0;
  for (int64_t round = 0; round < mutations; ++round) {
    CAPTURE(round);
    Random random(11, static_cast<uint64_t>(round));
    const auto which = static_cast<size_t>(round) % files.size();
    Bytes bytes = Mutator(files[which], anatomies[which], random).mutate();
    for (int tries = 0; tries < 60; ++tries) {
      const double start = now();
      const auto error = outcome(bytes);
      slowest = std::max(slowest, now() - start);
      if (!error) ++loaded;
      if (!error || !repair(bytes, *error)) break;
      ++repaired;
    }
  }
  MESSAGE(str_cat(mutations, " mutations: ", loaded, " loaded, ", repaired,
                  " checksums made good, slowest ", slowest, " s"));
  CHECK(slowest < 5);
  CHECK(loaded > mutations / 50);
  CHECK(loaded < mutations);
  CHECK(repaired > mutations / 50);
}

TEST_CASE("keras: files that are meant to harm are refused for what they are") {
  const auto error = [](const char* name) {
    return outcome(golden_bytes(*keras_goldens().find(name))).value_or("loaded");
  };
  const std::pair<const char*, const char*> cases[] = {
      {"bomb.h5", "unpacks to 160000000"},
      {"long_chunk.h5", "does not unpack to the 16 bytes"},
      {"short_chunk.h5", "does not unpack to the 16 bytes"},
      {"missing_chunk.h5", "1 of its 2 chunks were never written"},
      {"deep.weights.h5", "nested over 16 deep"},
      {"loop.weights.h5", "twice or in itself"}};
  for (const auto& [name, expected] : cases) {
    const std::string message = error(name);
    CAPTURE(message);
    CHECK(message.find(expected) != std::string::npos);
  }
}

TEST_CASE("keras: the memory limit of these tests works") {
  if (sanitized) return;
  const MemoryLimit limit(uint64_t{64} << 20);
  CHECK_NOTHROW(allocate_aligned(int64_t{32} << 20));
  CHECK_THROWS_AS(allocate_aligned(int64_t{128} << 20), Error);
}
