#pragma once
#include <cstdint>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "limbic/core/file.h"

namespace limbic::weights {

/// One member of a zip archive, as the archive's directory describes it.
struct ZipMember {
  std::string_view name;    ///< In the archive's memory.
  uint64_t header = 0;      ///< Where its local header begins.
  uint64_t end = 0;         ///< Where the next member or the directory begins.
  uint64_t compressed = 0;  ///< Bytes in the archive.
  uint64_t size = 0;        ///< Bytes of the member itself.
  uint32_t crc = 0;         ///< CRC-32 of the member itself.
  uint16_t method = 0;      ///< 0 STORED, 8 DEFLATE.
  bool encrypted = false;
};

/// A zip archive in memory, zip64 included. Its directory is read and checked once; no member is
/// touched before `read` asks for it. Source: PKWARE's APPNOTE.TXT 6.3.10.
class ZipArchive {
 public:
  /// Throws Error "PATH: ..." where the directory is missing, damaged, split over several files,
  /// names a member twice, or gives two members the same bytes.
  explicit ZipArchive(const MappedFile& file);

  /// Sorted by name.
  const std::vector<ZipMember>& members() const { return members_; }
  /// Null if there is none of this name.
  const ZipMember* find(std::string_view name) const;

  /// The bytes of a member: a view of the archive where it is STORED, else inflated into memory of
  /// its own, aligned to 64 bytes. What it returns can be handed to any reader of files; its path
  /// is "ARCHIVE: MEMBER". Throws Error where the member lies outside of the archive, is encrypted
  /// or compressed in another way, has more than `limit` bytes that must be inflated, or differs
  /// from its CRC (of a STORED one 0 means that there is none, and without `verify` it is not
  /// read).
  MappedFile read(const ZipMember& member, uint64_t limit, bool verify = true) const;

 private:
  void find_ends(uint64_t directory);

  MappedFile file_;
  std::vector<ZipMember> members_;
};

struct StoredMember {
  std::string name;
  std::span<const uint8_t> bytes;
};
/// Writes a zip archive of these members, STORED, the bytes of each at a multiple of 64 from the
/// archive's beginning. Throws Error where one or all together take 4 GiB.
void store_zip(std::ostream& out, const std::vector<StoredMember>& members);

/// Whether bytes begin as a zip archive does.
bool is_zip(std::string_view bytes);

}  // namespace limbic::weights
