#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "limbic/core/file.h"
#include "limbic/core/tensor.h"
#include "limbic/weights/pytorch/pickle.h"

namespace limbic::weights {

/// What a persistent id of a PyTorch checkpoint says of a storage.
struct StorageId {
  std::string key;
  DType dtype = DType::f32;  ///< U8 where it is untyped.
  bool untyped = false;
  uint64_t elements = 0;  ///< Of the whole storage.
  /// Only some elements of it (PyTorch before 0.4, and only in the stream form).
  struct Part {
    uint64_t begin = 0, size = 0;
  };
  std::optional<Part> part;

  uint64_t bytes() const { return elements * static_cast<uint64_t>(size_of(dtype)); }
};

/// Reads ("storage", type, key, location, elements) and the stream form's sixth member. Throws
/// Error beginning with `where` for anything else, among it types that no tensor of ours has.
StorageId parse_storage_id(const Pickle& pickle, PickleValue persistent, const std::string& where);

/// Makes tensors of what a PyTorch checkpoint says of them: the results of torch._utils'
/// _rebuild_tensor, _v2 and _v3, as they are or within _rebuild_parameter and _rebuild_from_type.
class TensorRebuilder {
 public:
  /// Finds the bytes of a whole storage, of which there are as many as its id says.
  using Locate = std::function<MappedFile(const StorageId&)>;

  TensorRebuilder(const Pickle& pickle, Budget& budget, Locate locate)
      : pickle_(pickle), budget_(budget), locate_(std::move(locate)) {}

  /// Whether it is what one of these functions would return, or a NumPy array.
  bool is_tensor(PickleValue value) const;
  /// Its storage's memory where that is aligned to its elements and the tensor dense; else a copy.
  /// Throws Error beginning with `where`.
  Tensor build(PickleValue value, const std::string& where);

 private:
  bool is_array(PickleValue value) const;
  Tensor build_array(PickleValue value, const std::string& where);
  const MappedFile& storage(const StorageId& id, const std::string& where);

  const Pickle& pickle_;
  Budget& budget_;
  Locate locate_;
  std::map<std::string, MappedFile> storages_;
  std::map<uint64_t, Tensor> copies_;  // by the number of the pickle's node
};

}  // namespace limbic::weights
