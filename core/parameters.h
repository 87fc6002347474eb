#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "limbic/core/file.h"
#include "limbic/core/tensor.h"

namespace limbic {

/// One named tensor of a network, in its canonical layout (a convolution's weight is OIHW).
struct Parameter {
  Tensor value;
  bool trainable = true;  ///< false for buffers: running statistics, num_batches_tracked.
  bool shared = false;    ///< The value is somebody else's memory too, and is never written.
};

/// True where `name` is `path` or lies within it, by whole components: "features.1" holds
/// "features.1.weight", not "features.10.weight". The empty path holds everything.
bool lies_within(const std::string& name, const std::string& path);
/// The same for any of several paths.
bool lies_within_any(const std::string& name, const std::vector<std::string>& paths);

/// The tensors of a network by name, the names being the keys of its published checkpoint. It knows
/// nothing of layouts, primitives or graphs; copies share the tensors.
class Parameters {
 public:
  using Map = std::map<std::string, Parameter>;

  /// Throws Error if the name is taken.
  void add(const std::string& name, Tensor value, bool trainable);
  bool contains(const std::string& name) const { return map_.count(name) > 0; }
  /// Throws Error if there is none of this name.
  const Parameter& at(const std::string& name) const;
  /// Copies `value` in; throws Error unless name, shape and dtype fit.
  void set(const std::string& name, const Tensor& value);
  /// Takes `value` without copying it, under the same conditions. It is only read: a later `set`
  /// gives the parameter memory of its own.
  void adopt(const std::string& name, const Tensor& value);
  /// Remembers a file that adopted tensors are views of, for as long as there is one: the tensors
  /// own it, not the Parameters.
  void keep(const MappedFile& file);
  /// Throws Error if such a file was cut; call it after values were read.
  void require_intact() const;
  /// A copy that shares nothing with this one.
  Parameters clone() const;

  Map::const_iterator begin() const { return map_.begin(); }
  Map::const_iterator end() const { return map_.end(); }
  int64_t size() const { return static_cast<int64_t>(map_.size()); }
  /// Number of trainable elements, as model summaries count.
  int64_t trainable_elements() const;

 private:
  Parameter& fitting(const std::string& name, const Tensor& value);

  Map map_;
  struct ViewedFile {
    std::weak_ptr<void> owner;
    std::span<uint8_t> bytes;
    std::string path;
  };
  std::vector<ViewedFile> files_;
};

}  // namespace limbic
