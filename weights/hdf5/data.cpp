// Data sets: contiguous, compact and chunked layouts (HDF5 File Format Specification, IV.A.2.i).
#include <algorithm>
#include <cstring>

#include "limbic/weights/hdf5/chunks.h"
#include "limbic/weights/hdf5/hdf5.h"
#include "limbic/weights/hdf5/type.h"
#include "limbic/weights/header.h"

namespace limbic::weights {
namespace {

constexpr const char* layout_text = "HDF5 data layout";

// The messages of a data set that are needed to read it.
struct DataSet {
  std::vector<Hdf5Message> messages;
  Hdf5Type type;
  Shape shape;
  uint64_t bytes = 0;
};

std::span<const uint8_t> as_stored(const Hdf5Bytes& file, const DataSet& data, uint64_t address,
                                   uint64_t size, const std::string& where) {
  if (data.bytes == 0) return {};
  require(address != hdf5_undefined, where, "was never written; save the model again");
  require(size == data.bytes, where, to_string(data.shape), " of ", data.type.name, " needs ",
          data.bytes, " bytes, the file says ", size, "; it is damaged, fetch it again");
  return file.at(address, size, layout_text);
}

}  // namespace

Shape Hdf5File::shape(uint64_t object, const std::string& name) const {
  const auto messages = hdf5_object(bytes_, object);
  const Hdf5Message* space = find_message(messages, Hdf5Kind::dataspace);
  require(space != nullptr, bytes_.path(), ": ", in_quotes(name), " is no data set");
  return hdf5_shape(bytes_, *space);
}

Hdf5Array Hdf5File::array(uint64_t object, const std::string& name) {
  const std::string where = bytes_.path() + ": " + in_quotes(name) + ": ";
  DataSet data{.messages = hdf5_object(bytes_, object), .type = {}, .shape = {}};
  const auto find = [&](Hdf5Kind kind) { return find_message(data.messages, kind); };
  const Hdf5Message *type = find(Hdf5Kind::datatype), *space = find(Hdf5Kind::dataspace),
                    *layout = find(Hdf5Kind::layout), *filters = find(Hdf5Kind::filters);
  require(type && space && layout, where, "is no data set; the file is damaged or not Keras'");
  data.type = hdf5_type(bytes_, *type);
  if (data.type.kind == Hdf5Type::Kind::other && data.type.size == 2) {
    const auto marked = text(object, "dtype");
    if (marked && *marked == std::vector<std::string>{"bfloat16"}) data.type.dtype = DType::bf16;
  }
  require(data.type.dtype.has_value(), where, "holds ", data.type.name,
          "; expected little-endian floating point (16, 32, 64 bits) or integers (8 to 64): save "
          "it as float32");
  Hdf5Array out{.dtype = *data.type.dtype, .shape = hdf5_shape(bytes_, *space), .bytes = {}};
  data.shape = out.shape;
  require(
      !__builtin_mul_overflow(static_cast<uint64_t>(count(out.shape)), data.type.size, &data.bytes),
      where, "its shape ", to_string(out.shape), " overflows");

  Hdf5Cursor in = hdf5_cursor(bytes_, *layout, layout_text);
  const int version = in.u8(), kind = in.u8();
  if (version < 3 || version > 5)
    in.refuse("has version ", version, ", expected 3 to 5; save the model with libver 'earliest'");
  enum { compact, contiguous, chunked };
  if (kind == compact) {
    const uint64_t size = in.u16();
    require(size == data.bytes, where, to_string(out.shape), " needs ", data.bytes,
            " bytes, the file says ", size, "; it is damaged");
    out.bytes = in.take(size);
  } else if (kind == contiguous) {
    const uint64_t address = in.u64();
    out.bytes = as_stored(bytes_, data, address, in.u64(), where);
  } else if (kind == chunked) {
    const Hdf5Filters undo = filters ? Hdf5Filters(bytes_, *filters) : Hdf5Filters();
    if (data.bytes == 0) return out;
    bytes_.require_room(data.bytes);
    out.owner = allocate_aligned(static_cast<int64_t>(data.bytes));
    const std::span<uint8_t> dst(static_cast<uint8_t*>(out.owner.get()), data.bytes);
    read_hdf5_chunks(bytes_, in, version,
                     {.shape = out.shape, .element = data.type.size, .filters = undo}, where, dst);
    out.bytes = dst;
  } else {
    in.refuse("is of kind ", kind,
              " (2 to 9 bytes elsewhere), expected compact, contiguous or "
              "chunked");
  }
  return out;
}

}  // namespace limbic::weights
