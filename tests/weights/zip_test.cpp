#include "limbic/weights/zip.h"

#include <doctest/doctest.h>

#include <cstring>

#include "limbic/core/error.h"
#include "tests/weights/zip_writer.h"

using namespace limbic;
using namespace limbic::weights;

namespace {

using Bytes = std::vector<uint8_t>;

Bytes counted(size_t size) {
  Bytes out(size);
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<uint8_t>(i * i / 7);
  return out;
}

Bytes content(const MappedFile& file) { return {file.bytes.begin(), file.bytes.end()}; }

ZipArchive open(const Bytes& bytes) { return ZipArchive(at_exact_size(bytes, "x.zip")); }

std::vector<ZipWriterMember> one_of_each_kind() {
  return {{.name = "s/stored", .content = counted(1000), .alignment = 64},
          {.name = "s/deflated", .content = counted(100'000), .deflate = true},
          {.name = "s/behind", .content = counted(77), .sizes_behind = true},
          {.name = "s/wide", .content = counted(300), .deflate = true, .zip64 = true},
          {.name = "s/wide stored", .content = counted(9), .zip64 = true, .sizes_behind = true},
          {.name = "s/empty", .content = {}},
          {.name = "s/deflated empty", .content = {}, .deflate = true}};
}

// What reading all members of `bytes` throws.
std::string error_of(const Bytes& bytes, uint64_t limit = 1 << 20) {
  try {
    const ZipArchive archive = open(bytes);
    for (const ZipMember& member : archive.members()) archive.read(member, limit);
  } catch (const Error& error) {
    const std::string message = error.what();
    CHECK(message.starts_with("x.zip: "));
    CHECK(message.find('\n') == std::string::npos);
    return message;
  }
  return "no error";
}

void contains(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
}

template <class T>
Bytes with(Bytes bytes, size_t at, T value) {
  REQUIRE(at + sizeof value <= bytes.size());
  std::memcpy(bytes.data() + at, &value, sizeof value);
  return bytes;
}

// Of the directory's only entry, the end record and the zip64 end record of an archive as
// write_zip makes it.
struct Places {
  explicit Places(const Bytes& bytes) : end(bytes.size() - 22) {
    for (entry = end; std::memcmp(&bytes[entry], "PK\1\2", 4) != 0;) --entry;
  }
  size_t end, entry = 0;
};

}  // namespace

TEST_CASE("zip: members of every kind come back") {
  for (bool zip64 : {false, true}) {
    const ZipArchive archive = open(
        write_zip(one_of_each_kind(), {.zip64 = zip64, .comment = zip64 ? "" : "PK\5\6 comment"}));
    CHECK(archive.members().size() == 7);
    CHECK(archive.find("s/missing") == nullptr);
    CHECK(archive.find("s") == nullptr);
    for (const ZipWriterMember& expected : one_of_each_kind()) {
      CAPTURE(expected.name);
      const ZipMember* member = archive.find(expected.name);
      REQUIRE(member != nullptr);
      const MappedFile got = archive.read(*member, 100'000);
      CHECK(content(got) == expected.content);
      CHECK(got.path == "x.zip: '" + expected.name + "'");
    }
  }
  CHECK(open(write_zip({})).members().empty());
}

TEST_CASE("zip: a stored member is a view of the archive, an inflated one outlives it") {
  MappedFile inflated;
  {
    const MappedFile file = at_exact_size(write_zip(one_of_each_kind()), "x.zip");
    const ZipArchive archive(file);
    const MappedFile stored = archive.read(*archive.find("s/stored"), 0);
    CHECK(stored.bytes.data() > file.bytes.data());
    CHECK(stored.bytes.data() + 1000 < file.bytes.data() + file.bytes.size());
    CHECK((stored.bytes.data() - file.bytes.data()) % 64 == 0);
    inflated = archive.read(*archive.find("s/deflated"), 100'000);
  }
  CHECK(content(inflated) == counted(100'000));
}

TEST_CASE("zip: an archive cut anywhere is refused") {
  const Bytes whole = write_zip(one_of_each_kind());
  for (size_t size = 0; size < whole.size(); size += size < 1000 ? 37 : 1) {
    if (size > 1100 && size < whole.size() - 1000) size += 997;
    CAPTURE(size);
    contains(error_of(Bytes(whole.begin(), whole.begin() + static_cast<int64_t>(size))), "cut");
  }
}

TEST_CASE("zip: nothing is inflated beyond the limit, no length is believed") {
  const Bytes bomb = write_zip({{.name = "bomb", .content = Bytes(1'000'000), .deflate = true}});
  CHECK(bomb.size() < 1200);
  CHECK(error_of(bomb, 1'000'000) == "no error");
  contains(error_of(bomb, 999'999), "would take 1000000 bytes, more than the 999999 allowed");
  const Places at(bomb);
  contains(error_of(with<uint32_t>(bomb, at.entry + 24, 999'999)), "does not inflate");
  contains(error_of(with<uint32_t>(bomb, at.entry + 24, 1'000'001)), "does not inflate");
  contains(error_of(with<uint32_t>(bomb, at.entry + 24, 2'000'000'000), UINT64_MAX),
           "cannot inflate to 2000000000");
  contains(error_of(with<uint32_t>(bomb, at.entry + 20, 2'000)), "does not end before byte");
  contains(error_of(with<uint32_t>(bomb, at.entry + 20, 500), 1'000'000), "cannot inflate");
  contains(error_of(with<uint32_t>(bomb, at.entry + 42, 1)), "its header is damaged");
  contains(error_of(with<uint32_t>(bomb, at.entry + 42, UINT32_MAX)), "entry of its zip directory");
}

TEST_CASE("zip: what is damaged or unknown is named") {
  const Bytes good = write_zip({{.name = "a\nb", .content = counted(50)}});
  const Places at(good);
  contains(error_of(with<uint8_t>(good, 40, 99)), "'a?b': its CRC does not fit");
  contains(error_of(with<uint32_t>(good, at.entry + 16, 1)), "its CRC does not fit");
  CHECK(error_of(with<uint32_t>(good, at.entry + 16, 0)) == "no error");  // PyTorch without CRC
  contains(error_of(with<uint8_t>(good, 30, 'b')), "its header is damaged");
  contains(error_of(with<uint16_t>(good, 26, 60000)), "its header is damaged");
  contains(error_of(with<uint16_t>(good, 28, 1)), "its header is damaged");
  contains(error_of(with<uint32_t>(good, 0, 1)), "its header is damaged");
  contains(error_of(with<uint16_t>(good, at.entry + 8, 1)), "is encrypted");
  contains(error_of(with<uint16_t>(good, at.entry + 10, 14)), "is compressed by method 14");
  contains(error_of(with<uint32_t>(good, at.entry + 24, 51)), "its sizes differ: 50 and 51");
  contains(error_of(with<uint16_t>(good, at.entry + 28, 99)), "entry of its zip directory");
  contains(error_of(with<uint32_t>(good, at.entry, 0)), "entry of its zip directory");
  contains(error_of(with<uint16_t>(good, at.end + 4, 1)), "split over several files");
  contains(error_of(with<uint16_t>(good, at.end + 10, 0)), "holds more than its 0 members");
  contains(error_of(with<uint16_t>(good, at.end + 10, 2)), "does not fit the file");
  contains(error_of(with<uint32_t>(good, at.end + 12, UINT32_MAX)), "does not fit the file");
  contains(error_of(with<uint32_t>(good, at.end + 16, 1)), "entry of its zip directory");
  const ZipWriterMember member{.name = "twice", .content = {}};
  contains(error_of(write_zip({member, member})), "'twice' is there twice");
  const Bytes two =
      write_zip({{.name = "a", .content = counted(50)}, {.name = "b", .content = {}}});
  contains(error_of(with<uint32_t>(two, Places(two).entry + 42, 31)), "'a' (50 bytes from byte 0)");
  CHECK(is_zip("PK\x03\x04"));
  CHECK(!is_zip("PK"));
}

TEST_CASE("zip: zip64 records that lie are refused") {
  const Bytes good =
      write_zip({{.name = "a", .content = counted(50), .zip64 = true}}, {.zip64 = true});
  CHECK(error_of(good) == "no error");
  const Places at(good);
  const size_t end64 = at.end - 20 - 56, locator = at.end - 20, field = at.entry + 46 + 1 + 5;
  contains(error_of(with<uint64_t>(good, locator + 8, UINT64_MAX)), "zip64 directory is not where");
  contains(error_of(with<uint64_t>(good, locator + 8, end64 + 1)), "zip64 directory is not where");
  contains(error_of(with<uint32_t>(good, end64 + 16, 1)), "split over several files");
  for (uint64_t value : {uint64_t{2}, UINT64_MAX})
    contains(error_of(with<uint64_t>(good, end64 + 32, value)), "does not fit the file");
  for (size_t place : {size_t{40}, size_t{48}})
    contains(error_of(with<uint64_t>(good, end64 + place, UINT64_MAX - 3)),
             "does not fit the file");
  contains(error_of(with<uint16_t>(good, field, 2)), "entry of its zip directory");
  contains(error_of(with<uint16_t>(good, field + 2, 16)), "entry of its zip directory");
  contains(error_of(with<uint16_t>(good, field + 2, 25)), "entry of its zip directory");
  contains(error_of(with<uint64_t>(good, field + 4, UINT64_MAX)), "its sizes differ");
  contains(error_of(with<uint64_t>(good, field + 12, UINT64_MAX)), "does not end before byte");
  contains(error_of(with<uint64_t>(good, field + 20, UINT64_MAX)), "does not end before byte");
}
