#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "limbic/weights/hdf5/bytes.h"

namespace limbic::weights {

/// What a message in an object header is about (HDF5 File Format Specification, IV.A.2).
enum class Hdf5Kind : uint16_t {
  nil = 0x00,
  dataspace = 0x01,
  link_info = 0x02,
  datatype = 0x03,
  link = 0x06,
  layout = 0x08,
  filters = 0x0b,
  attribute = 0x0c,
  continuation = 0x10,
  symbol_table = 0x11,
  attribute_info = 0x15,
};

struct Hdf5Message {
  Hdf5Kind kind = Hdf5Kind::nil;
  bool shared = false;  ///< The body only says where in the file the message is.
  std::span<const uint8_t> body;
  uint64_t address = 0;  ///< Of the header that it is in.
};

/// Address of the root group's header. Reads superblocks of versions 0, 1, 2 and 3 (II.A).
uint64_t hdf5_root(const Hdf5Bytes& file);

/// The messages of an object header of version 1 or 2 with its continuation blocks (IV.A.1).
std::vector<Hdf5Message> hdf5_object(const Hdf5Bytes& file, uint64_t address);

/// The first message of a kind, or null.
const Hdf5Message* find_message(const std::vector<Hdf5Message>& messages, Hdf5Kind kind);

/// A cursor over a message's body; throws Error where the body is elsewhere (a committed type).
Hdf5Cursor hdf5_cursor(const Hdf5Bytes& file, const Hdf5Message& message, const char* what);

}  // namespace limbic::weights
