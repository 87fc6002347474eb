// Attributes that are text (HDF5 File Format Specification, IV.A.2.m, IV.A.2.v).
#include <algorithm>

#include "limbic/weights/hdf5/btree.h"
#include "limbic/weights/hdf5/hdf5.h"
#include "limbic/weights/hdf5/type.h"
#include "limbic/weights/header.h"

namespace limbic::weights {
namespace {

constexpr const char* attribute = "HDF5 attribute";
constexpr uint64_t string_cost = 64;  // of an empty std::string, in memory

// An attribute's message taken apart.
struct Attribute {
  std::string_view name;
  Hdf5Message type, space;
  std::span<const uint8_t> data;
};

// What is between here and the next multiple of 8, in version 1.
std::span<const uint8_t> padded(Hdf5Cursor& in, uint64_t size, int version) {
  const auto out = in.take(size);
  if (version == 1) in.skip((8 - size % 8) % 8);
  return out;
}

Attribute take_apart(Hdf5Cursor in, uint64_t address) {
  Attribute out;
  const int version = in.u8(), flags = in.u8();
  if (version < 1 || version > 3) in.refuse("has version ", version, ", expected 1 to 3");
  const uint64_t name_size = in.u16(), type_size = in.u16(), space_size = in.u16();
  if (version == 3) in.skip(1);  // ASCII or UTF-8
  const auto name = padded(in, name_size, version);
  const auto* text = reinterpret_cast<const char*>(name.data());
  out.name =
      std::string_view(text, static_cast<size_t>(std::find(text, text + name.size(), '\0') - text));
  out.type = {Hdf5Kind::datatype, version > 1 && (flags & 1), padded(in, type_size, version),
              address};
  out.space = {Hdf5Kind::dataspace, version > 1 && (flags & 2), padded(in, space_size, version),
               address};
  out.data = in.take(in.left());
  return out;
}

// Fixed-length text ends at the first zero, or at the end.
std::string fixed(std::span<const uint8_t> bytes) {
  return {bytes.begin(), std::find(bytes.begin(), bytes.end(), 0)};
}

}  // namespace

std::vector<std::string> Hdf5File::read_texts(const Hdf5Message& type_message,
                                              const Hdf5Message& space,
                                              std::span<const uint8_t> data) {
  const Hdf5Type type = hdf5_type(bytes_, type_message);
  const auto elements = static_cast<uint64_t>(count(hdf5_shape(bytes_, space)));
  if (elements > data.size() / type.size)
    bytes_.refuse(attribute, space.address, elements, " texts of ", type.size,
                  " bytes do not fit its ", data.size(), " bytes; the file is damaged");
  std::vector<std::string> out;
  bytes_.keep(elements * string_cost);
  out.reserve(elements);
  Hdf5Cursor in(bytes_, data, space.address, attribute);
  for (uint64_t i = 0; i < elements; ++i) {
    if (type.kind == Hdf5Type::Kind::text) {
      bytes_.keep(type.size);
      out.push_back(fixed(in.take(type.size)));
      continue;
    }
    const uint64_t size = in.u32(), heap = in.u64();
    const uint32_t index = in.u32();
    if (size == 0) {
      out.emplace_back();
      continue;
    }
    const auto text = heap_.object(heap, index);
    if (size > text.size())
      in.refuse("a text of ", size, " bytes is longer than its place of ", text.size());
    bytes_.keep(size);
    out.push_back(fixed(text.first(size)));
  }
  return out;
}

std::optional<std::vector<std::string>> Hdf5File::text(uint64_t object, const std::string& name) {
  std::optional<std::vector<std::string>> out;
  const auto look_at = [&](Hdf5Cursor in, uint64_t address) {
    const Attribute a = take_apart(in, address);
    if (out || a.name != name) return;
    const auto kind = hdf5_type(bytes_, a.type).kind;
    if (kind == Hdf5Type::Kind::text || kind == Hdf5Type::Kind::long_text)
      out = read_texts(a.type, a.space, a.data);
  };
  for (const Hdf5Message& message : hdf5_object(bytes_, object)) {
    if (message.kind == Hdf5Kind::attribute)
      look_at(hdf5_cursor(bytes_, message, attribute), message.address);
    if (message.kind != Hdf5Kind::attribute_info) continue;
    Hdf5Cursor in = hdf5_cursor(bytes_, message, attribute);
    in.version(0);
    if (in.u8() & 1) in.skip(2);  // the largest creation order
    const uint64_t heap_address = in.u64(), index = in.u64();
    if (heap_address == hdf5_undefined || index == hdf5_undefined) continue;
    Hdf5FractalHeap heap(bytes_, heap_address);
    visit_btree_v2(bytes_, index, 8, [&](Hdf5Cursor record) {
      look_at({bytes_, heap.object(record.take(heap.id_size())), heap_address, attribute},
              heap_address);
    });
  }
  return out;
}

}  // namespace limbic::weights
