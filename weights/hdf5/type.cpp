#include "limbic/weights/hdf5/type.h"

namespace limbic::weights {
namespace {

constexpr const char* datatype = "HDF5 datatype";
constexpr const char* dataspace = "HDF5 dataspace";
constexpr uint64_t max_rank = 32;

// Where a floating-point number has its exponent and fraction.
struct FloatFormat {
  DType dtype;
  uint64_t size;
  int exponent_at, exponent_bits, fraction_bits;
  uint32_t bias;
};
constexpr FloatFormat float_formats[] = {{DType::f64, 8, 52, 11, 52, 1023},
                                         {DType::f32, 4, 23, 8, 23, 127},
                                         {DType::f16, 2, 10, 5, 10, 15},
                                         {DType::bf16, 2, 7, 8, 7, 127}};

Hdf5Type floating(Hdf5Cursor& in, uint32_t flags, uint64_t size) {
  Hdf5Type out{.kind = Hdf5Type::Kind::number, .size = size};
  const bool big_endian = flags & 0x41;
  out.name = str_cat(size * 8, "-bit floating point", big_endian ? ", big endian" : "");
  const int bit_offset = in.u16();
  const uint64_t precision = in.u16();
  const int exponent_at = in.u8(), exponent_bits = in.u8(), fraction_at = in.u8(),
            fraction_bits = in.u8();
  const uint32_t bias = in.u32();
  for (const FloatFormat& f : float_formats)
    if (!big_endian && bit_offset == 0 && fraction_at == 0 && size == f.size &&
        precision == 8 * size && exponent_at == f.exponent_at && exponent_bits == f.exponent_bits &&
        fraction_bits == f.fraction_bits && bias == f.bias)
      out.dtype = f.dtype;
  return out;
}

Hdf5Type integer(Hdf5Cursor& in, uint32_t flags, uint64_t size) {
  Hdf5Type out{.kind = Hdf5Type::Kind::number, .size = size};
  const bool big_endian = flags & 1 && size > 1, is_signed = flags & 8;
  out.name = str_cat(size * 8, "-bit ", is_signed ? "" : "unsigned ", "integer",
                     big_endian ? ", big endian" : "");
  const int bit_offset = in.u16();
  const uint64_t precision = in.u16();
  if (big_endian || bit_offset != 0 || precision != 8 * size) return out;
  if (!is_signed && size == 1) out.dtype = DType::u8;
  if (!is_signed) return out;
  for (DType dtype : {DType::i8, DType::i16, DType::i32, DType::i64})
    if (size == static_cast<uint64_t>(size_of(dtype))) out.dtype = dtype;
  return out;
}

}  // namespace

Hdf5Type hdf5_type(const Hdf5Bytes& file, const Hdf5Message& message) {
  Hdf5Cursor in = hdf5_cursor(file, message, datatype);
  const int kind_and_version = in.u8(), kind = kind_and_version & 15;
  const auto flags = static_cast<uint32_t>(in.number(3));
  const uint64_t size = in.u32();
  if (size == 0) in.refuse("has elements of 0 bytes; the file is damaged");
  switch (kind) {
    case 0:
      return integer(in, flags, size);
    case 1:
      return floating(in, flags, size);
    case 3:
      return {.kind = Hdf5Type::Kind::text, .dtype = {}, .size = size, .name = "text"};
    case 5:
      // bfloat16 of Keras, which HDF5 has no name for.
      return {.kind = Hdf5Type::Kind::other, .dtype = {}, .size = size, .name = "opaque bytes"};
    case 9:
      if ((flags & 15) == 1 && size == 16)
        return {.kind = Hdf5Type::Kind::long_text, .dtype = {}, .size = size, .name = "text"};
      return {.kind = Hdf5Type::Kind::other, .dtype = {}, .size = size, .name = "lists"};
    default:
      return {.kind = Hdf5Type::Kind::other,
              .dtype = {},
              .size = size,
              .name = str_cat("HDF5 datatype class ", kind)};
  }
}

Shape hdf5_shape(const Hdf5Bytes& file, const Hdf5Message& message) {
  Hdf5Cursor in = hdf5_cursor(file, message, dataspace);
  const int version = in.u8();
  if (version != 1 && version != 2) in.refuse("has version ", version, ", expected 1 or 2");
  const uint64_t rank = in.u8();
  in.skip(1);
  const int kind = in.u8();  // of version 2: 0 scalar, 1 simple, 2 null
  if (version == 1) in.skip(4);
  if (version == 2 && kind == 2) return {0};
  if (rank > max_rank) in.refuse("has ", rank, " dimensions, at most ", max_rank);
  Shape shape;
  for (uint64_t i = 0; i < rank; ++i) {
    const uint64_t d = in.u64();
    if (d > static_cast<uint64_t>(INT64_MAX)) in.refuse("dimension ", d, " is too large");
    shape.push_back(static_cast<int64_t>(d));
  }
  try {
    count(shape);
  } catch (const Error& error) {
    in.refuse(error.what(), "; the file is damaged");
  }
  return shape;
}

}  // namespace limbic::weights
