#include "limbic/weights/zip.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <ostream>

#include "limbic/core/tensor.h"
#include "limbic/weights/header.h"

namespace limbic::weights {
namespace {

static_assert(std::endian::native == std::endian::little, "zip is little-endian");

constexpr uint32_t local_signature = 0x04034b50, entry_signature = 0x02014b50;
constexpr uint32_t end_signature = 0x06054b50, end64_signature = 0x06064b50;
constexpr uint32_t locator_signature = 0x07064b50;
constexpr uint64_t local_size = 30, entry_size = 46, end_size = 22, end64_size = 56;
constexpr uint64_t locator_size = 20;
constexpr uint32_t in_zip64 = 0xffffffff;  // "see the zip64 field"
constexpr uint64_t best_ratio = 1032;      // of DEFLATE: 258 bytes from 2 bits
constexpr uint64_t longest_comment = 0xffff;

using Bytes = std::span<const uint8_t>;

// Little-endian integer at `at`; the caller has checked that it is there.
template <class T>
T get(Bytes bytes, uint64_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::string_view text(Bytes bytes, uint64_t at, uint64_t size) {
  return {reinterpret_cast<const char*>(bytes.data()) + at, size};
}

bool fits(uint64_t at, uint64_t size, uint64_t total) { return at <= total && size <= total - at; }

struct Directory {
  uint64_t begin = 0, size = 0, entries = 0;
};

// The end record lies at the very end, behind it only a comment of at most 65,535 bytes.
std::optional<uint64_t> find_end(Bytes bytes) {
  if (bytes.size() < end_size) return std::nullopt;
  const uint64_t last = bytes.size() - end_size;
  const uint64_t first = last - std::min(last, longest_comment);
  for (uint64_t at = last + 1; at-- > first;)
    if (get<uint32_t>(bytes, at) == end_signature &&
        get<uint16_t>(bytes, at + 20) == bytes.size() - end_size - at)
      return at;
  return std::nullopt;
}

Directory read_end64(Bytes bytes, uint64_t locator, const std::string& path) {
  const auto at = get<uint64_t>(bytes, locator + 8);
  require(fits(at, end64_size, locator) && get<uint32_t>(bytes, at) == end64_signature, path,
          ": its zip64 directory is not where it should be (byte ", at,
          "); the file is damaged, fetch it again");
  require(get<uint32_t>(bytes, at + 16) == 0 && get<uint32_t>(bytes, at + 20) == 0, path,
          ": a zip archive split over several files cannot be read; join them first");
  return {get<uint64_t>(bytes, at + 48), get<uint64_t>(bytes, at + 40),
          get<uint64_t>(bytes, at + 32)};
}

Directory find_directory(Bytes bytes, const std::string& path) {
  const auto end = find_end(bytes);
  require(end.has_value(), path,
          ": a zip archive without its directory; the file is cut, fetch it again");
  require(get<uint16_t>(bytes, *end + 4) == 0 && get<uint16_t>(bytes, *end + 6) == 0, path,
          ": a zip archive split over several files cannot be read; join them first");
  Directory out{get<uint32_t>(bytes, *end + 16), get<uint32_t>(bytes, *end + 12),
                get<uint16_t>(bytes, *end + 10)};
  if (*end >= locator_size && get<uint32_t>(bytes, *end - locator_size) == locator_signature)
    out = read_end64(bytes, *end - locator_size, path);
  require(fits(out.begin, out.size, *end) && out.entries <= out.size / entry_size, path,
          ": its zip directory (", out.entries, " members, ", out.size, " bytes from byte ",
          out.begin, ") does not fit the file of ", bytes.size(),
          " bytes; it is cut or damaged, fetch it again");
  return out;
}

// Replaces what the entry could not hold by the zip64 field among its extra fields. False if that
// is missing or too short.
bool read_zip64(Bytes extra, ZipMember& member) {
  uint64_t* const wide[] = {&member.size, &member.compressed, &member.header};
  if (std::none_of(std::begin(wide), std::end(wide), [](auto* v) { return *v == in_zip64; }))
    return true;
  for (uint64_t at = 0; fits(at, 4, extra.size());) {
    const auto kind = get<uint16_t>(extra, at), size = get<uint16_t>(extra, at + 2);
    at += 4;
    if (!fits(at, size, extra.size())) return false;
    if (kind == 1) {
      Bytes field = extra.subspan(at, size);
      for (uint64_t* value : wide) {
        if (*value != in_zip64) continue;
        if (field.size() < 8) return false;
        *value = get<uint64_t>(field, 0);
        field = field.subspan(8);
      }
      return true;
    }
    at += size;
  }
  return false;
}

// The entry at the front of `left`, which is shortened by it.
ZipMember read_entry(Bytes& left, const std::string& path) {
  const std::string damaged = ": an entry of its zip directory is damaged; fetch it again";
  require(left.size() >= entry_size && get<uint32_t>(left, 0) == entry_signature, path, damaged);
  const uint64_t name = get<uint16_t>(left, 28), extra = get<uint16_t>(left, 30),
                 comment = get<uint16_t>(left, 32);
  require(fits(entry_size, name + extra + comment, left.size()), path, damaged);
  ZipMember out{.name = text(left, entry_size, name),
                .header = get<uint32_t>(left, 42),
                .compressed = get<uint32_t>(left, 20),
                .size = get<uint32_t>(left, 24),
                .crc = get<uint32_t>(left, 16),
                .method = get<uint16_t>(left, 10),
                .encrypted = (get<uint16_t>(left, 8) & 1) != 0};
  require(read_zip64(left.subspan(entry_size + name, extra), out), path, damaged);
  left = left.subspan(entry_size + name + extra + comment);
  return out;
}

uint32_t crc_of(Bytes bytes) {
  return static_cast<uint32_t>(crc32_z(0, bytes.data(), bytes.size()));
}

// Inflates raw DEFLATE into exactly `size` bytes. zlib counts in 32 bits, hence the pieces.
std::shared_ptr<void> inflate_exactly(Bytes from, uint64_t size, const std::string& path) {
  auto memory = allocate_aligned(static_cast<int64_t>(size));
  z_stream stream{};
  require(inflateInit2(&stream, -MAX_WBITS) == Z_OK, path, ": zlib cannot start");
  const std::shared_ptr<void> closer(nullptr, [&](void*) { inflateEnd(&stream); });
  constexpr uint64_t piece = 1u << 30;
  uint64_t read = 0, written = 0;
  stream.next_in = const_cast<uint8_t*>(from.data());
  stream.next_out = static_cast<uint8_t*>(memory.get());
  int status = Z_OK;
  while (status == Z_OK) {
    const auto in = static_cast<uInt>(std::min(piece, from.size() - read));
    const auto out = static_cast<uInt>(std::min(piece, size - written));
    stream.avail_in = in, stream.avail_out = out;
    status = inflate(&stream, Z_NO_FLUSH);
    read += in - stream.avail_in, written += out - stream.avail_out;
  }
  require(status == Z_STREAM_END && read == from.size() && written == size, path,
          ": does not inflate to the ", size, " bytes that it should have (", written,
          " came); the file is damaged, fetch it again");
  return memory;
}

}  // namespace

bool is_zip(std::string_view bytes) {
  return bytes.starts_with("PK\x03\x04") || bytes.starts_with("PK\x05\x06");
}

ZipArchive::ZipArchive(const MappedFile& file) : file_(file) {
  const Directory directory = find_directory(file_.bytes, file_.path);
  Bytes left = Bytes(file_.bytes).subspan(directory.begin, directory.size);
  members_.reserve(directory.entries);
  for (uint64_t i = 0; i < directory.entries; ++i) members_.push_back(read_entry(left, file_.path));
  require(left.empty(), file_.path, ": its zip directory holds more than its ", directory.entries,
          " members; the file is damaged, fetch it again");
  find_ends(directory.begin);
  std::sort(members_.begin(), members_.end(),
            [](const ZipMember& a, const ZipMember& b) { return a.name < b.name; });
  const auto twice =
      std::adjacent_find(members_.begin(), members_.end(),
                         [](const ZipMember& a, const ZipMember& b) { return a.name == b.name; });
  if (twice != members_.end())
    fail(file_.path, ": member ", in_quotes(twice->name), " is there twice");
}

// Members that overlap would make reading all of them take longer than the archive is long.
void ZipArchive::find_ends(uint64_t directory) {
  std::sort(members_.begin(), members_.end(),
            [](const ZipMember& a, const ZipMember& b) { return a.header < b.header; });
  for (size_t i = 0; i < members_.size(); ++i) {
    ZipMember& m = members_[i];
    m.end = i + 1 < members_.size() ? members_[i + 1].header : directory;
    if (!fits(m.header, local_size, m.end) || m.compressed > m.end - m.header - local_size)
      fail(file_.path, ": member ", in_quotes(m.name), " (", m.compressed, " bytes from byte ",
           m.header, ") does not end before byte ", m.end, "; the file is damaged, fetch it again");
  }
}

const ZipMember* ZipArchive::find(std::string_view name) const {
  const auto at =
      std::lower_bound(members_.begin(), members_.end(), name,
                       [](const ZipMember& m, std::string_view wanted) { return m.name < wanted; });
  return at != members_.end() && at->name == name ? &*at : nullptr;
}

MappedFile ZipArchive::read(const ZipMember& member, uint64_t limit, bool verify) const {
  const std::string path = file_.path + ": " + in_quotes(member.name);
  const Bytes bytes = file_.bytes;
  const uint64_t name = get<uint16_t>(bytes, member.header + 26);
  const uint64_t skip = local_size + name + get<uint16_t>(bytes, member.header + 28);
  require(get<uint32_t>(bytes, member.header) == local_signature &&
              fits(member.header, skip, member.end) &&
              text(bytes, member.header + local_size, name) == member.name &&
              fits(member.header + skip, member.compressed, member.end),
          path, ": its header is damaged; fetch the file again");
  const uint64_t begin = member.header + skip;
  require(!member.encrypted, path, ": is encrypted; unpack the archive and pack it without");
  require(member.method == 0 || member.method == 8, path, ": is compressed by method ",
          member.method, ", expected STORED or DEFLATE; pack it again");

  MappedFile out{file_.owner, file_.bytes.subspan(begin, member.compressed), path};
  if (member.method == 0) {
    require(member.size == member.compressed, path,
            ": is STORED, but its sizes differ: ", member.compressed, " and ", member.size,
            "; the file is damaged, fetch it again");
  } else {
    require(member.size <= limit, path, ": is compressed and would take ", member.size,
            " bytes, more than the ", limit, " allowed here; pack it without compression");
    require(member.size / best_ratio <= member.compressed, path, ": ", member.compressed,
            " bytes cannot inflate to ", member.size, "; the file is damaged, fetch it again");
    out.owner = inflate_exactly(out.bytes, member.size, path);
    out.bytes = {static_cast<uint8_t*>(out.owner.get()), member.size};
  }
  // PyTorch writes 0 where it was told to compute none (torch.serialization.set_crc32_options).
  const bool unknown = member.method == 0 && (member.crc == 0 || !verify);
  require(unknown || crc_of(out.bytes) == member.crc, path,
          ": its CRC does not fit; the file is damaged, fetch it again");
  if (member.method == 0)  // read once for that: it need not stay in memory
    release_mapped(out.bytes.data(), static_cast<int64_t>(out.bytes.size()));
  return out;
}

namespace {

constexpr uint64_t stored_alignment = 64;

template <class... T>
void put(std::string& out, T... values) {
  (out.append(reinterpret_cast<const char*>(&values), sizeof values), ...);
}

// What the local header and the directory's entry have in common: version 2.0, names in UTF-8,
// STORED, 1980-01-01.
void put_common(std::string& out, const StoredMember& m, uint16_t extra) {
  const auto size = static_cast<uint32_t>(m.bytes.size());
  put(out, uint16_t{20}, uint16_t{1 << 11}, uint16_t{0}, uint16_t{0}, uint16_t{0x21},
      crc_of(m.bytes), size, size, static_cast<uint16_t>(m.name.size()), extra);
}

}  // namespace

void store_zip(std::ostream& out, const std::vector<StoredMember>& members) {
  uint64_t at = 0;
  std::string directory;
  for (const StoredMember& m : members) {
    const uint64_t begin = at, unaligned = begin + local_size + m.name.size() + 4;
    const auto padding = static_cast<uint16_t>(-unaligned % stored_alignment);
    at = unaligned + padding + m.bytes.size();
    require(at + directory.size() < in_zip64 && m.name.size() < longest_comment, m.name,
            ": too large for a zip archive without zip64 (4 GiB)");
    std::string local;
    put(local, local_signature);
    put_common(local, m, static_cast<uint16_t>(4 + padding));
    local += m.name;
    put(local, uint16_t{0xffff}, padding);  // an extra field that nobody reads
    local.append(padding, '\0');
    out << local;
    out.write(reinterpret_cast<const char*>(m.bytes.data()), std::ssize(m.bytes));
    put(directory, entry_signature, uint16_t{20});
    put_common(directory, m, 0);
    put(directory, uint16_t{0}, uint16_t{0}, uint16_t{0}, uint32_t{0},
        static_cast<uint32_t>(begin));
    directory += m.name;
  }
  const auto n = static_cast<uint16_t>(members.size());
  const auto size = static_cast<uint32_t>(directory.size());
  put(directory, end_signature, uint16_t{0}, uint16_t{0}, n, n, size, static_cast<uint32_t>(at),
      uint16_t{0});
  out << directory;
}

}  // namespace limbic::weights
