#include "limbic/weights/hdf5/bytes.h"

#include <bit>

#include "limbic/weights/header.h"

namespace limbic::weights {
namespace {

uint32_t word(std::span<const uint8_t> bytes) {
  uint32_t out = 0;
  for (size_t i = 0; i < bytes.size() && i < 4; ++i) out |= uint32_t{bytes[i]} << (8 * i);
  return out;
}

// Bob Jenkins' lookup3, public domain, which HDF5 takes for its metadata.
uint32_t lookup3(std::span<const uint8_t> bytes) {
  const auto rot = [](uint32_t x, int k) { return std::rotl(x, k); };
  uint32_t a = 0xdeadbeef + static_cast<uint32_t>(bytes.size()), b = a, c = a;
  for (; bytes.size() > 12; bytes = bytes.subspan(12)) {
    a += word(bytes), b += word(bytes.subspan(4)), c += word(bytes.subspan(8));
    a -= c, a ^= rot(c, 4), c += b;
    b -= a, b ^= rot(a, 6), a += c;
    c -= b, c ^= rot(b, 8), b += a;
    a -= c, a ^= rot(c, 16), c += b;
    b -= a, b ^= rot(a, 19), a += c;
    c -= b, c ^= rot(b, 4), b += a;
  }
  if (bytes.empty()) return c;
  a += word(bytes);
  if (bytes.size() > 4) b += word(bytes.subspan(4));
  if (bytes.size() > 8) c += word(bytes.subspan(8));
  c ^= b, c -= rot(b, 14);
  a ^= c, a -= rot(c, 11);
  b ^= a, b -= rot(a, 25);
  c ^= b, c -= rot(b, 16);
  a ^= c, a -= rot(c, 4);
  b ^= a, b -= rot(a, 14);
  c ^= b, c -= rot(b, 24);
  return c;
}

}  // namespace

Hdf5Bytes::Hdf5Bytes(std::span<const uint8_t> bytes, std::string path, uint64_t memory)
    : bytes_(bytes),
      path_(std::move(path)),
      memory_(memory),
      work_left_(4 * uint64_t{bytes.size()} + (uint64_t{64} << 20)),
      memory_left_(memory) {}

std::span<const uint8_t> Hdf5Bytes::rest(uint64_t address, const char* what) const {
  if (address > bytes_.size())
    refuse(what, address, "lies outside the file of ", bytes_.size(),
           " bytes; it is cut or damaged, fetch it again");
  return bytes_.subspan(address);
}

std::span<const uint8_t> Hdf5Bytes::at(uint64_t address, uint64_t size, const char* what) const {
  const auto from = rest(address, what);
  if (size > from.size())
    refuse(what, address, "needs ", size, " bytes, the file has ", from.size(),
           " more; it is cut or damaged, fetch it again");
  work(size);
  return from.first(size);
}

void Hdf5Bytes::work(uint64_t bytes) const {
  require(bytes <= work_left_, path_, ": its ", bytes_.size(),
          " bytes refer to each other so often that reading them would not end; it is damaged");
  work_left_ -= bytes;
}

void Hdf5Bytes::keep(uint64_t bytes) const {
  require(bytes <= memory_left_, path_, ": its ", bytes_.size(), " bytes would fill more than ",
          memory_, " bytes of memory; it is damaged, or packed too tightly to be trusted");
  memory_left_ -= bytes;
}

void Hdf5Bytes::require_room(uint64_t bytes) const {
  require(bytes <= memory_left_, path_, ": a part of its ", bytes_.size(), " bytes unpacks to ",
          bytes, ", more than the ", memory_left_, " left of what is allowed; it is damaged, or ",
          "packed too tightly to be trusted");
}

void Hdf5Bytes::check_sum(std::span<const uint8_t> block, uint64_t address,
                          const char* what) const {
  if (block.size() < 4) refuse(what, address, "has no room for a checksum");
  const size_t size = block.size() - 4;
  const uint32_t stored = word(block.subspan(size)), computed = lookup3(block.first(size));
  if (stored != computed)
    refuse(what, address, "the checksum after ", size, " bytes is ", stored, ", expected ",
           computed, "; the file is damaged, fetch it again");
}

std::span<const uint8_t> Hdf5Cursor::take(uint64_t size) {
  if (size > left())
    refuse("ends after ", piece_.size(), " bytes, expected ", size, " more at ", at_,
           "; the file is damaged, fetch it again");
  const auto out = piece_.subspan(at_, size);
  at_ += size;
  return out;
}

uint64_t Hdf5Cursor::number(uint64_t size) {
  if (size > 8) refuse("a number of ", size, " bytes is too large");
  uint64_t out = 0, shift = 0;
  for (uint8_t byte : take(size)) {
    out |= uint64_t{byte} << shift;
    shift += 8;
  }
  return out;
}

void Hdf5Cursor::signature(std::string_view expected) {
  const auto got = take(expected.size());
  const std::string_view text(reinterpret_cast<const char*>(got.data()), got.size());
  if (text != expected)
    refuse("expected the signature ", in_quotes(expected), ", got ", in_quotes(text),
           "; the file is damaged, fetch it again");
}

void Hdf5Cursor::version(uint8_t expected) {
  const int got = u8();
  if (got != expected)
    refuse("has version ", got, ", expected ", int{expected},
           "; save the model again with a current Keras");
}

}  // namespace limbic::weights
