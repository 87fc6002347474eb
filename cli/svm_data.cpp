#include "limbic/cli/svm_data.h"

#include <cmath>
#include <cstdio>
#include <limits>

#include "limbic/weights/safetensors.h"

namespace limbic::cli {

namespace {

// A tensor (rows) of whole or real numbers.
std::vector<double> read_targets(const std::string& path, const Tensor& tensor, int64_t rows) {
  const bool real = tensor.dtype() == DType::f32 || tensor.dtype() == DType::f64;
  require(tensor.rank() == 1 && tensor.dim(0) == rows && (real || tensor.dtype() == DType::i64),
          path, ": expected labels or targets (", rows, ") I64, F32 or F64, got ",
          to_string(tensor.dtype()), " ", to_string(tensor.shape()));
  std::vector<double> out;
  for (int64_t i = 0; i < rows; ++i)
    out.push_back(tensor.dtype() == DType::f32   ? double{tensor.data<float>()[i]}
                  : tensor.dtype() == DType::f64 ? tensor.data<double>()[i]
                                                 : static_cast<double>(tensor.data<int64_t>()[i]));
  return out;
}

Tensor to_f64(const Tensor& x) {
  Tensor out(x.shape(), DType::f64);
  for (int64_t i = 0; i < x.size(); ++i) out.data<double>()[i] = double{x.data()[i]};
  return out;
}

}  // namespace

svm::SvmData read_svm_input(const std::string& path, const svm::SvmDataOptions& options) {
  if (!path.ends_with(".safetensors")) return svm::read_svm_data(path, options);
  require(
      options.first_index == 1, path,
      ": features numbered from 0, as those of a precomputed kernel or of a model of such a file, "
      "are read from LIBSVM's text alone");
  const weights::SafetensorsFile file = weights::read_safetensors(path);
  const auto x = file.tensors.find("features");
  auto y = file.tensors.find(options.real_labels ? "targets" : "labels");
  if (y == file.tensors.end()) y = file.tensors.find("labels");
  require(x != file.tensors.end() && y != file.tensors.end(), path,
          ": expected tensors 'features' and 'labels', as limbic extract writes them, or 'targets' "
          "for regression");
  require(x->second.rank() == 2 && x->second.dtype() == DType::f32, path,
          ": expected features (N,D) F32, got ", to_string(x->second.dtype()), " ",
          to_string(x->second.shape()));
  svm::SvmData data{options.f64 ? to_f64(x->second) : x->second, {}};
  data.targets = read_targets(path, y->second, x->second.dim(0));
  for (double target : data.targets) {
    if (options.real_labels || options.any_label) break;
    require(target == std::floor(target) && std::abs(target) <= std::numeric_limits<int>::max(),
            path, ": expected labels that are whole numbers of 32 bits, got ", target);
    data.labels.push_back(static_cast<int>(target));
  }
  file.file.require_intact();
  return data;
}

void warn_if_coarse(const Common& common, const std::string& path, const svm::SvmData& data) {
  if (data.coarse_feature >= 0)
    note(common, str_cat("WARNING: ", path, ": values of feature ", data.coarse_feature,
                         " are too close together for single precision; scale them first (limbic "
                         "svm-scale reads and scales in double precision)"));
}

}  // namespace limbic::cli
