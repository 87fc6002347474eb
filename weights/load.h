#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "limbic/core/file.h"
#include "limbic/core/parameters.h"

namespace limbic::weights {

struct LoadOptions {
  std::string source = "checkpoint";  ///< Names the file in messages.
  /// Name prefixes of the classifier ("fc", "classifier.1"): where its number of classes differs,
  /// the network's own tensors stay as they are.
  std::vector<std::string> replaceable;
  /// The file that the tensors are views of: that it was not cut meanwhile is checked.
  const MappedFile* file = nullptr;
  /// Take the tensors without copying, for parameters that are read soon and seldom changed. `into`
  /// then keeps `file`, and whoever reads the values checks it (Parameters::require_intact; a
  /// Program does): a file that is overwritten in place damages them.
  bool share = false;
};

struct LoadReport {
  /// A tensor of the classifier that was left alone.
  struct Replaced {
    std::string name;
    Shape file, network;  ///< They differ in dimension 0, the classes, if at all.
  };
  int64_t loaded = 0;  ///< Tensors taken.
  std::vector<Replaced> replaced;
};

/// For Graph::initialise before load_parameters: whether the network's own tensor may stay, because
/// the checkpoint lacks it or its classifier is of another size (each of a classifier's tensors has
/// the classes as dimension 0).
inline auto not_loaded_from(const std::map<std::string, Tensor>& checkpoint) {
  return [&checkpoint](const std::string& name, const Shape& shape) {
    const auto found = checkpoint.find(name);
    return found == checkpoint.end() || found->second.shape() != shape;
  };
}

/// A copy of `tensor` as F32; F64, F32, F16 and BF16 can be converted, others throw Error.
Tensor to_f32(const Tensor& tensor);

/// F32 rounded to the nearest BF16 or F16, ties to even. Throws Error beginning with `name` where a
/// finite value is too large for F16.
Tensor to_half(const Tensor& tensor, DType dtype, const std::string& name);

/// The first tensor of a network that holds NaN or infinity; "" where all numbers are finite.
std::string first_not_finite(const Parameters& parameters);

/// Gives a network the tensors by name; F64, F16 and BF16 becoming
/// F32 where the network holds F32. Strict: missing, unexpected and misshapen names are all listed
/// in one Error, and then nothing has changed; so is a tensor that holds NaN or infinity as F32,
/// weight or running statistic: a training came apart there. `num_batches_tracked` may be missing
/// on either side, as old files lack it.
LoadReport load_parameters(const std::map<std::string, Tensor>& from, Parameters& into,
                           const LoadOptions& options = {});

}  // namespace limbic::weights
