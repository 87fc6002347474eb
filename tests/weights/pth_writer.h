#pragma once
// Writes pickles and PyTorch checkpoints piece by piece, so that tests can also write wrong ones.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/weights/zip_writer.h"

namespace limbic::pickled {

using Parts = std::vector<std::string>;

// Each returns the opcodes that leave one value on the stack.
std::string none();
std::string boolean(bool value);
std::string integer(int64_t value);
std::string real(double value);
std::string text(const std::string& value);
std::string tuple(const Parts& items);
std::string integers(const std::vector<int64_t>& values);  ///< A tuple.
std::string list(const Parts& items);
std::string dict(const std::vector<std::pair<std::string, std::string>>& items);
std::string global(const std::string& module, const std::string& name);
std::string reduce(const std::string& callable, const Parts& arguments);
std::string persistent(const std::string& id);

/// Little-endian bytes of an integer, for lengths.
std::string u32(uint64_t value);
std::string u64(uint64_t value);

/// PROTO and STOP around a value.
std::string pickle(const std::string& value, int protocol = 2);

/// torch.FloatStorage and so on.
std::string storage(const std::string& type, const std::string& key, int64_t elements);
struct TensorOptions {
  int64_t offset = 0;
  std::vector<int64_t> sizes, strides;
};
/// A call of torch._utils._rebuild_tensor_v2.
std::string tensor(const std::string& storage, const TensorOptions& options);

struct Storage {
  std::string key;
  std::vector<uint8_t> bytes;
  int64_t element = 4;  ///< Bytes of one element, for the stream form's counts.
};

/// The zip form around a pickle.
struct ZipOptions {
  std::string stem = "model/";
  std::string byteorder = "little";
  bool deflate = false;
  size_t alignment = 64;
  ZipWriterOptions archive;
};
std::vector<uint8_t> zip_form(const std::string& pickle, const std::vector<Storage>& storages,
                              const ZipOptions& options = {});

/// The stream form around a pickle.
std::vector<uint8_t> stream_form(const std::string& pickle, const std::vector<Storage>& storages);
/// Its first three pickles: magic, protocol, system.
std::string stream_head();

}  // namespace limbic::pickled
