// Fractal heaps: a doubling table of blocks. Rows 0 and 1 have blocks of the starting size, each
// row after them twice that of the one before; `width` blocks make a row. Blocks above the largest
// direct size are tables of their own. (HDF5 File Format Specification, III.G.)
#include <bit>

#include "limbic/weights/hdf5/btree.h"
#include "limbic/weights/hdf5/heap.h"

namespace limbic::weights {
namespace {

constexpr const char* heap = "HDF5 fractal heap";

uint64_t log2_of(uint64_t power) { return static_cast<uint64_t>(std::bit_width(power)) - 1; }

}  // namespace

Hdf5FractalHeap::Hdf5FractalHeap(const Hdf5Bytes& file, uint64_t address)
    : file_(file), address_(address) {
  constexpr uint64_t size = 146;  // without filters
  const auto bytes = file.at(address, size, heap);
  Hdf5Cursor in(file, bytes, address, heap);
  in.signature("FRHP");
  in.version(0);
  id_size_ = in.u16();
  const int filters = in.u16();
  if (filters != 0) in.refuse("is compressed, which Keras does not do");
  file.check_sum(bytes, address, heap);
  in.skip(1);
  max_managed_ = in.u32();
  in.skip(8);
  huge_tree_ = in.u64();
  in.skip(12 * 8 - 16);  // free space and statistics
  width_ = in.u16();
  start_size_ = in.u64();
  max_direct_ = in.u64();
  const uint64_t max_bits = in.u16();
  in.skip(2);
  root_ = in.u64();
  root_rows_ = in.u16();
  if (!std::has_single_bit(start_size_) || !std::has_single_bit(max_direct_) || width_ == 0 ||
      !std::has_single_bit(width_) || max_direct_ < start_size_ || max_bits > 64 ||
      max_direct_ > uint64_t{1} << 32 || max_managed_ == 0)
    in.refuse("has blocks of ", start_size_, " to ", max_direct_, " bytes, ", width_,
              " in a row, which cannot be; the file is damaged");
  direct_rows_ = log2_of(max_direct_) - log2_of(start_size_) + 2;
  offset_size_ = (max_bits + 7) / 8;
  length_size_ = std::min((log2_of(max_direct_) + 7) / 8, log2_of(max_managed_) / 8 + 1);
  if (root_rows_ > 64) in.refuse("has ", root_rows_, " rows, at most 64");
}

uint64_t Hdf5FractalHeap::row_size(uint64_t row) const {
  const uint64_t doublings = row < 2 ? 0 : row - 1;
  // At least 2^63 will not do as a size anyway.
  return log2_of(start_size_) + doublings > 62 ? uint64_t{1} << 63 : start_size_ << doublings;
}

uint64_t Hdf5FractalHeap::indirect_size(uint64_t rows) const {
  return 4 + 1 + 8 + offset_size_ + rows * width_ * 8 + 4;
}

// The address of the direct block that holds the byte `offset` of the heap; where it begins, and
// its size.
uint64_t Hdf5FractalHeap::find_block(uint64_t offset, uint64_t& begin, uint64_t& size) const {
  begin = 0;
  size = start_size_;
  uint64_t address = root_, rows = root_rows_;
  if (rows == 0) return address;
  for (int depth = 0; depth < 64; ++depth) {
    const auto bytes = file_.at(address, indirect_size(rows), heap);
    Hdf5Cursor in(file_, bytes, address, heap);
    in.signature("FHIB");
    file_.check_sum(bytes, address, heap);
    in.skip(1 + 8 + offset_size_);
    uint64_t row = 0;
    for (; row < rows; ++row) {
      size = row_size(row);
      // Neither overflows: begin is at most offset, and the quotient is looked at first.
      if ((offset - begin) / size < width_) break;
      begin += size * width_;
    }
    if (row == rows) break;
    const uint64_t column = (offset - begin) / size;
    begin += column * size;
    in.skip((row * width_ + column) * 8);
    address = in.u64();
    if (row < direct_rows_) return address;
    rows = log2_of(size) - log2_of(start_size_ * width_) + 1;
    if (rows > 64) break;
  }
  file_.refuse(heap, address_, "an object at ", offset, " lies outside it; the file is damaged");
}

std::span<const uint8_t> Hdf5FractalHeap::managed(uint64_t offset, uint64_t size) const {
  uint64_t begin = 0, block = 0;
  const uint64_t address = find_block(offset, begin, block);
  if (offset - begin > block || size > block - (offset - begin))
    file_.refuse(heap, address_, "an object at ", offset, " of ", size,
                 " bytes does not fit its block of ", block);
  Hdf5Cursor(file_, file_.at(address, 4, heap), address, heap).signature("FHDB");
  return file_.at(address + (offset - begin), size, heap);
}

std::span<const uint8_t> Hdf5FractalHeap::huge(uint64_t key) {
  if (!huge_read_) {
    huge_read_ = true;
    visit_btree_v2(file_, huge_tree_, 1, [this](Hdf5Cursor record) {
      const uint64_t address = record.u64(), size = record.u64();
      file_.keep(96);
      huge_[record.u64()] = file_.at(address, size, heap);
    });
  }
  const auto found = huge_.find(key);
  if (found == huge_.end()) file_.refuse(heap, address_, "has no large object ", key);
  return found->second;
}

std::span<const uint8_t> Hdf5FractalHeap::object(std::span<const uint8_t> id) {
  Hdf5Cursor in(file_, id, address_, heap);
  const int first = in.u8(), type = first >> 4 & 3;
  if (type == 0) {
    const uint64_t offset = in.number(offset_size_);
    return managed(offset, in.number(length_size_));
  }
  if (type == 1) return huge(in.number(std::min<uint64_t>(in.left(), 8)));
  if (type == 2) return in.take(static_cast<uint64_t>(first & 15) + 1);
  in.refuse("an object is of the unknown kind ", type);
}

}  // namespace limbic::weights
