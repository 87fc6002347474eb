#include "limbic/weights/hdf5/filters.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "limbic/weights/header.h"

namespace limbic::weights {
namespace {

constexpr const char* filters_text = "HDF5 filters";
constexpr const char* chunk = "HDF5 chunk";

// Inflates `src` into exactly `dst`.
void inflate_into(const Hdf5Bytes& file, std::span<const uint8_t> src, uint64_t address,
                  std::span<uint8_t> dst) {
  constexpr uint64_t limit = uint64_t{1} << 31;  // zlib counts in 32 bits
  if (src.size() > limit || dst.size() > limit)
    file.refuse(chunk, address, "has ", dst.size(), " bytes, more than ", limit);
  z_stream stream{};
  require(inflateInit(&stream) == Z_OK, file.path(), ": out of memory for zlib");
  uint8_t surplus = 0;  // one byte more than expected shows a chunk that is too long
  stream.next_in = const_cast<uint8_t*>(src.data());
  stream.avail_in = static_cast<uInt>(src.size());
  stream.next_out = dst.data();
  stream.avail_out = static_cast<uInt>(dst.size());
  int status = inflate(&stream, Z_FINISH);
  if (status == Z_BUF_ERROR && stream.avail_out == 0) {
    stream.next_out = &surplus;
    stream.avail_out = 1;
    status = inflate(&stream, Z_FINISH);
  }
  const uint64_t got = stream.total_out;
  inflateEnd(&stream);
  if (status != Z_STREAM_END || got != dst.size())
    file.refuse(chunk, address, "does not unpack to the ", dst.size(),
                " bytes that its shape needs; the file is damaged, fetch it again");
}

void check_size(const Hdf5Bytes& file, std::span<const uint8_t> src, uint64_t address,
                std::span<uint8_t> dst) {
  if (src.size() != dst.size())
    file.refuse(chunk, address, "has ", src.size(), " bytes, its shape needs ", dst.size(),
                "; the file is damaged, fetch it again");
}

// Byte k of element i stands at k * elements + i; surplus bytes at the end stay.
void unshuffle(const Hdf5Bytes& file, std::span<const uint8_t> src, uint64_t address,
               uint64_t element, std::span<uint8_t> dst) {
  check_size(file, src, address, dst);
  const uint64_t elements = src.size() / element;
  for (uint64_t k = 0; k < element; ++k)
    for (uint64_t i = 0; i < elements; ++i) dst[i * element + k] = src[k * elements + i];
  std::copy(src.begin() + static_cast<int64_t>(elements * element), src.end(),
            dst.begin() + static_cast<int64_t>(elements * element));
}

}  // namespace

Hdf5Filters::Hdf5Filters(const Hdf5Bytes& file, const Hdf5Message& message) {
  Hdf5Cursor in = hdf5_cursor(file, message, filters_text);
  const int version = in.u8();
  if (version != 1 && version != 2) in.refuse("have version ", version, ", expected 1 or 2");
  const uint64_t number = in.u8();
  if (version == 1) in.skip(6);
  if (number > 2) in.refuse("there are ", number, ", expected deflate and shuffle at most");
  for (uint64_t i = 0; i < number; ++i) {
    const int id = in.u16();
    const uint64_t name_size = version == 1 || id >= 256 ? in.u16() : 0;
    in.skip(2);
    const uint64_t values = in.u16();
    const auto name = in.take(name_size);  // of version 1 with its padding
    in.skip(values * 4 + (version == 1 && values % 2 ? 4 : 0));
    constexpr int deflate_id = 1, shuffle_id = 2;
    if (id != deflate_id && id != shuffle_id)
      in.refuse("number ", id, " ",
                in_quotes({reinterpret_cast<const char*>(name.data()), name.size()}),
                " is not one of deflate and shuffle; save the data without it");
    steps_.push_back(id == deflate_id ? Step::deflate : Step::shuffle);
  }
}

void Hdf5Filters::undo(const Hdf5Bytes& file, std::span<const uint8_t> src, uint64_t address,
                       uint32_t skipped, uint64_t element, std::span<uint8_t> dst) const {
  file.work(dst.size());
  std::vector<Step> todo;
  for (size_t i = steps_.size(); i > 0; --i)
    if (!(skipped >> (i - 1) & 1)) todo.push_back(steps_[i - 1]);
  std::vector<uint8_t> between(todo.size() > 1 ? dst.size() : 0);
  std::span<const uint8_t> data = src;
  for (size_t i = 0; i < todo.size(); ++i) {
    const std::span<uint8_t> out = i + 1 < todo.size() ? between : dst;
    if (todo[i] == Step::deflate)
      inflate_into(file, data, address, out);
    else
      unshuffle(file, data, address, element, out);
    data = out;
  }
  if (!todo.empty()) return;
  check_size(file, data, address, dst);
  std::memcpy(dst.data(), data.data(), data.size());
}

}  // namespace limbic::weights
