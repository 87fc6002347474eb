#include "cli/svm_data.h"

#include "weights/safetensors.h"

namespace limbic::cli {

SvmData read_svm_input(const std::string& path, int64_t min_features) {
  if (!path.ends_with(".safetensors")) return read_svm_data(path, {.min_features = min_features});
  const SafetensorsFile file = read_safetensors(path);
  const auto x = file.tensors.find("features"), y = file.tensors.find("labels");
  require(x != file.tensors.end() && y != file.tensors.end(), path,
          ": expected tensors 'features' and 'labels', as limbic extract writes them");
  require(x->second.rank() == 2 && x->second.dtype() == DType::f32 &&
              y->second.dtype() == DType::i64 && y->second.size() == x->second.dim(0),
          path, ": expected features (N,D) F32 and labels (N) I64");
  SvmData data{x->second, {}};
  for (int64_t label : y->second.values<int64_t>()) data.labels.push_back(static_cast<int>(label));
  file.file.require_intact();
  return data;
}

std::vector<std::string> rewrite_class_weights(const std::vector<std::string>& arguments) {
  std::vector<std::string> out;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& a = arguments[i];
    const bool is_weight =
        a.size() > 2 && a.rfind("-w", 0) == 0 &&
        a.find_first_not_of("0123456789", a[2] == '-' ? 3 : 2) == std::string::npos;
    if (is_weight && i + 1 < arguments.size()) {
      out.push_back("--class-weight=" + a.substr(2) + "=" + arguments[++i]);
    } else {
      out.push_back(a);
    }
  }
  return out;
}

}  // namespace limbic::cli
