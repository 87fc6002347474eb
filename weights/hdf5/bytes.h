#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "limbic/core/error.h"

namespace limbic::weights {

/// An HDF5 file in memory and what reading it may cost. A file may name the same bytes many times
/// over (hard links, chunks, strings), so that checking each length alone is not enough: all that
/// is looked at or decompressed counts as work, all that is kept or unpacked as memory.
class Hdf5Bytes {
 public:
  /// `memory`: bytes that reading may take, those that are kept and those needed for a moment.
  Hdf5Bytes(std::span<const uint8_t> bytes, std::string path, uint64_t memory);

  /// `size` bytes from `address` on; throws Error naming `what` where they lie outside the file.
  std::span<const uint8_t> at(uint64_t address, uint64_t size, const char* what) const;
  /// From `address` to the end of the file, not yet counted as work.
  std::span<const uint8_t> rest(uint64_t address, const char* what) const;

  /// Counts bytes that are looked at or unpacked; throws Error where a file's parts refer to each
  /// other without end.
  void work(uint64_t bytes) const;
  /// Counts bytes that stay in memory; throws Error once there are more than the limit.
  void keep(uint64_t bytes) const;
  /// Throws Error where `bytes` that are needed for a moment do not fit beside what is kept.
  void require_room(uint64_t bytes) const;

  /// Throws Error "PATH: WHAT at byte ADDRESS: ...".
  template <class... Args>
  [[noreturn]] void refuse(const char* what, uint64_t address, const Args&... args) const {
    fail(path_, ": ", what, " at byte ", address, ": ", args...);
  }
  /// Throws Error unless the block from `address` on ends with the checksum of what is before it.
  void check_sum(std::span<const uint8_t> block, uint64_t address, const char* what) const;

  const std::string& path() const { return path_; }
  uint64_t size() const { return bytes_.size(); }

 private:
  std::span<const uint8_t> bytes_;
  std::string path_;
  uint64_t memory_;
  mutable uint64_t work_left_, memory_left_;
};

/// Reads little-endian numbers from a checked piece of a file, one after the other. Throws Error
/// where the piece ends too early.
class Hdf5Cursor {
 public:
  Hdf5Cursor(const Hdf5Bytes& file, std::span<const uint8_t> piece, uint64_t address,
             const char* what)
      : file_(file), piece_(piece), address_(address), what_(what) {}

  std::span<const uint8_t> take(uint64_t size);
  void skip(uint64_t size) { take(size); }
  /// A number of `size` bytes, at most 8.
  uint64_t number(uint64_t size);
  uint8_t u8() { return static_cast<uint8_t>(number(1)); }
  uint16_t u16() { return static_cast<uint16_t>(number(2)); }
  uint32_t u32() { return static_cast<uint32_t>(number(4)); }
  uint64_t u64() { return number(8); }
  /// Throws Error unless the next four bytes are these.
  void signature(std::string_view expected);
  /// Throws Error unless the next byte is this version.
  void version(uint8_t expected);

  uint64_t left() const { return piece_.size() - at_; }
  uint64_t position() const { return at_; }
  template <class... Args>
  [[noreturn]] void refuse(const Args&... args) const {
    file_.refuse(what_, address_, args...);
  }

 private:
  const Hdf5Bytes& file_;
  std::span<const uint8_t> piece_;
  uint64_t address_, at_ = 0;
  const char* what_;
};

/// The address that says "not there".
constexpr uint64_t hdf5_undefined = UINT64_MAX;

}  // namespace limbic::weights
