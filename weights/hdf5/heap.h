#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "limbic/weights/hdf5/bytes.h"

namespace limbic::weights {

/// The names of an old group's links, in a stretch of bytes (HDF5 File Format Specification,
/// III.D).
class Hdf5LocalHeap {
 public:
  Hdf5LocalHeap(const Hdf5Bytes& file, uint64_t address);
  /// The text from `offset` to the next zero byte; throws Error where there is none.
  std::string text(uint64_t offset) const;

 private:
  const Hdf5Bytes& file_;
  uint64_t address_;
  std::span<const uint8_t> data_;
};

/// Strings of variable length, all over the file in numbered pieces (III.E).
class Hdf5GlobalHeap {
 public:
  explicit Hdf5GlobalHeap(const Hdf5Bytes& file) : file_(file) {}
  /// Object `index` of the collection at `address`.
  std::span<const uint8_t> object(uint64_t address, uint32_t index);

 private:
  using Collection = std::map<uint32_t, std::span<const uint8_t>>;
  Collection read(uint64_t address) const;

  const Hdf5Bytes& file_;
  std::map<uint64_t, Collection> collections_;
};

/// Messages of large new groups: links, attributes (III.G).
class Hdf5FractalHeap {
 public:
  Hdf5FractalHeap(const Hdf5Bytes& file, uint64_t address);
  /// Bytes of an entry of the heap's ID in an index record.
  uint64_t id_size() const { return id_size_; }
  /// The object that an ID names.
  std::span<const uint8_t> object(std::span<const uint8_t> id);

 private:
  std::span<const uint8_t> managed(uint64_t offset, uint64_t size) const;
  std::span<const uint8_t> huge(uint64_t key);
  uint64_t row_size(uint64_t row) const;
  uint64_t find_block(uint64_t offset, uint64_t& begin, uint64_t& size) const;
  uint64_t indirect_size(uint64_t rows) const;

  const Hdf5Bytes& file_;
  uint64_t address_, id_size_ = 0, width_ = 0, start_size_ = 0, max_direct_ = 0, max_managed_ = 0;
  uint64_t offset_size_ = 0, length_size_ = 0, root_ = 0, root_rows_ = 0, direct_rows_ = 0;
  uint64_t huge_tree_ = 0;
  std::map<uint64_t, std::span<const uint8_t>> huge_;
  bool huge_read_ = false;
};

}  // namespace limbic::weights
