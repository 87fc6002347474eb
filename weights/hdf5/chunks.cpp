#include "limbic/weights/hdf5/chunks.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "limbic/weights/hdf5/btree.h"

namespace limbic::weights {
namespace {

constexpr const char* chunk_text = "HDF5 chunk";
constexpr const char* array_text = "HDF5 fixed array";

// One chunk as it is stored.
struct Stored {
  uint64_t address, size;
  uint32_t skipped;  ///< Filters that it was not put through.
};

// The grid of chunks over a data set, and where they go.
class Grid {
 public:
  Grid(const Hdf5Bytes& file, const Hdf5Chunked& data, std::vector<uint64_t> chunk,
       const std::string& where, std::span<uint8_t> dst)
      : file_(file), data_(data), chunk_(std::move(chunk)), where_(where), dst_(dst) {
    bytes_ = data.element;
    chunks_ = 1;
    require(chunk_.size() == data.shape.size() && !chunk_.empty(), where_, "has ",
            data.shape.size(), " dimensions, its chunks ", chunk_.size(), "; the file is damaged");
    for (size_t i = 0; i < chunk_.size(); ++i) {
      require(chunk_[i] > 0 && !__builtin_mul_overflow(bytes_, chunk_[i], &bytes_), where_,
              "its chunks' sizes cannot be; the file is damaged");
      const auto size = static_cast<uint64_t>(data.shape[i]);
      grid_.push_back(size / chunk_[i] + (size % chunk_[i] ? 1 : 0));
      chunks_ *= grid_.back();  // at most the number of elements
    }
    // The data set, a chunk, and the chunk between two filters. Chunks are at most as many as
    // bytes, and the limit is far below 2^62, so nothing overflows.
    file_.require_room(bytes_);
    file_.require_room(dst.size() + 2 * bytes_ + chunks_ / 8);
    seen_.assign(chunks_, false);
  }

  uint64_t chunks() const { return chunks_; }
  uint64_t bytes() const { return bytes_; }

  // Unpacks the chunk that begins at element `begin` of the data set.
  void place(const Stored& stored, const std::vector<uint64_t>& begin) {
    uint64_t index = 0;
    for (size_t i = 0; i < grid_.size(); ++i) {
      require(begin[i] % chunk_[i] == 0 && begin[i] / chunk_[i] < grid_[i], where_,
              "a chunk lies outside; the file is damaged");
      index = index * grid_[i] + begin[i] / chunk_[i];
    }
    require(!seen_[index], where_, "chunk ", index, " is there twice; the file is damaged");
    seen_[index] = true;
    ++placed_;
    file_.work(32);
    const auto src = file_.at(stored.address, stored.size, chunk_text);
    if (buffer_.empty()) buffer_.resize(bytes_);
    data_.filters.undo(file_, src, stored.address, stored.skipped, data_.element, buffer_);
    copy(0, begin, 0, 0);
  }

  // The same, chunks being numbered row by row.
  void place(const Stored& stored, uint64_t index) {
    std::vector<uint64_t> begin(grid_.size());
    for (size_t i = grid_.size(); i > 0; --i) {
      begin[i - 1] = index % grid_[i - 1] * chunk_[i - 1];
      index /= grid_[i - 1];
    }
    place(stored, begin);
  }

  void require_complete() const {
    require(placed_ == chunks_, where_, chunks_ - placed_, " of its ", chunks_,
            " chunks were never written; save the model again");
  }

 private:
  // Copies dimension i and those after it of the buffer; what hangs over the end is left out.
  // At most 32 deep: the rank.
  void copy(size_t i, const std::vector<uint64_t>& begin, uint64_t from, uint64_t to) {
    const auto size = static_cast<uint64_t>(data_.shape[i]);
    const uint64_t rows = std::min(chunk_[i], size - begin[i]);
    from *= chunk_[i];
    to = to * size + begin[i];
    if (i + 1 == chunk_.size()) {
      std::memcpy(dst_.data() + to * data_.element, buffer_.data() + from * data_.element,
                  rows * data_.element);
      return;
    }
    for (uint64_t row = 0; row < rows; ++row) copy(i + 1, begin, from + row, to + row);
  }

  const Hdf5Bytes& file_;
  const Hdf5Chunked& data_;
  std::vector<uint64_t> chunk_, grid_;
  const std::string& where_;
  std::span<uint8_t> dst_;
  uint64_t bytes_ = 0, chunks_ = 0, placed_ = 0;
  std::vector<bool> seen_;
  std::vector<uint8_t> buffer_;
};

std::vector<uint64_t> chunk_sizes(Hdf5Cursor& in, uint64_t number, uint64_t width) {
  if (number < 2 || number > 33) in.refuse("has chunks of ", number, " dimensions");
  std::vector<uint64_t> out;
  for (uint64_t i = 0; i + 1 < number; ++i) out.push_back(in.number(width));
  in.skip(width);  // the element's size, which the type says too
  return out;
}

// Keys of the B-tree: stored size, skipped filters, an offset for each dimension and the element.
void read_tree(const Hdf5Bytes& file, uint64_t root, size_t rank, Grid& grid) {
  if (root == hdf5_undefined) return;
  const uint64_t key_size = 8 + 8 * (rank + 1);
  visit_btree_v1(file, root, {.type = 1, .key_size = key_size}, [&](const Hdf5Child& child) {
    Hdf5Cursor key(file, child.key, child.address, chunk_text);
    const uint64_t size = key.u32();
    const uint32_t skipped = key.u32();
    std::vector<uint64_t> begin;
    for (size_t i = 0; i < rank; ++i) begin.push_back(key.u64());
    grid.place({child.address, size, skipped}, begin);
  });
}

// One element of a fixed array: an address and, where there are filters, size and skipped filters.
void read_elements(Hdf5Cursor& in, uint64_t first, uint64_t number, uint64_t size_width,
                   Grid& grid) {
  for (uint64_t i = 0; i < number; ++i) {
    Stored stored{.address = in.u64(), .size = grid.bytes(), .skipped = 0};
    if (size_width > 0) {
      stored.size = in.number(size_width);
      stored.skipped = in.u32();
    }
    if (stored.address != hdf5_undefined) grid.place(stored, first + i);
  }
}

// Header, then a data block with all elements, or with a bitmap of the pages that were written and
// the pages behind it (III.H, Fixed Array Index).
void read_fixed_array(const Hdf5Bytes& file, uint64_t address, bool filtered, Grid& grid) {
  const auto header = file.at(address, 28, array_text);
  Hdf5Cursor in(file, header, address, array_text);
  in.signature("FAHD");
  file.check_sum(header, address, array_text);
  in.version(0);
  in.skip(1);
  const uint64_t element = in.u8(), page_bits = in.u8(), elements = in.u64(), block = in.u64();
  const uint64_t size_width = filtered ? element - 12 : 0;
  if ((filtered && (element < 13 || element > 20)) || (!filtered && element != 8) ||
      page_bits > 32 || elements != grid.chunks())
    in.refuse("has ", elements, " elements of ", element, " bytes for ", grid.chunks(),
              " chunks; the file is damaged");
  if (block == hdf5_undefined) return;
  const uint64_t page = uint64_t{1} << page_bits, pages = (elements + page - 1) / page;
  const bool paged = elements > page;
  const uint64_t bitmap_size = paged ? (pages + 7) / 8 : 0;
  // elements is at most the bytes of the data set, so nothing here overflows.
  const uint64_t size = 14 + bitmap_size + (paged ? 0 : elements * element) + 4;
  const auto bytes = file.at(block, size, array_text);
  file.check_sum(bytes, block, array_text);
  Hdf5Cursor data(file, bytes, block, array_text);
  data.signature("FADB");
  data.skip(10);
  if (!paged) return read_elements(data, 0, elements, size_width, grid);
  const auto bitmap = data.take(bitmap_size);
  uint64_t at = block + size;
  for (uint64_t i = 0; i < pages; ++i) {
    const uint64_t number = std::min(page, elements - i * page);
    if (bitmap[i / 8] >> (7 - i % 8) & 1) {
      const auto part = file.at(at, number * element + 4, array_text);
      file.check_sum(part, at, array_text);
      Hdf5Cursor page_in(file, part, at, array_text);
      read_elements(page_in, i * page, number, size_width, grid);
    }
    at += page * element + 4;
  }
}

void read_indexed(const Hdf5Bytes& file, Hdf5Cursor& in, const Hdf5Chunked& data,
                  const std::string& where, std::span<uint8_t> dst) {
  const int flags = in.u8();
  const uint64_t number = in.u8(), width = in.u8();
  Grid grid(file, data, chunk_sizes(in, number, width), where, dst);
  const int index = in.u8();
  const bool filtered = !data.filters.empty();
  Stored one{.address = 0, .size = grid.bytes(), .skipped = 0};
  require(!(flags & 1 && filtered), where,
          "its edge chunks are stored without filters, which is not read; save it again");
  enum { single = 1, implicit = 2, fixed_array = 3 };
  switch (index) {
    case single:
      if (flags & 2) {
        one.size = in.u64();
        one.skipped = in.u32();
      }
      one.address = in.u64();
      require(grid.chunks() == 1, where, "has ", grid.chunks(), " chunks, expected 1");
      if (one.address != hdf5_undefined) grid.place(one, uint64_t{0});
      break;
    case implicit:
      one.address = in.u64();
      for (uint64_t i = 0; i < grid.chunks() && one.address != hdf5_undefined; ++i) {
        grid.place(one, i);
        one.address += grid.bytes();  // both below 2^63: the chunk before was in the file
      }
      break;
    case fixed_array:
      in.skip(1);
      read_fixed_array(file, in.u64(), filtered, grid);
      break;
    default:
      fail(where, "can grow (chunk index ", index,
           "), which is not read; save it with a fixed size");
  }
  grid.require_complete();
}

}  // namespace

void read_hdf5_chunks(const Hdf5Bytes& file, Hdf5Cursor layout, int version,
                      const Hdf5Chunked& data, const std::string& where, std::span<uint8_t> dst) {
  if (version > 3) return read_indexed(file, layout, data, where, dst);
  const uint64_t number = layout.u8(), root = layout.u64();
  Grid grid(file, data, chunk_sizes(layout, number, 4), where, dst);
  read_tree(file, root, data.shape.size(), grid);
  grid.require_complete();
}

}  // namespace limbic::weights
