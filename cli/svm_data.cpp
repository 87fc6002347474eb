#include "cli/svm_data.h"

#include <cstdio>
#include <utility>

#include "weights/safetensors.h"

namespace limbic::cli {

SvmData read_svm_input(const std::string& path, const SvmDataOptions& options) {
  if (!path.ends_with(".safetensors")) return read_svm_data(path, options);
  require(!options.precomputed, path, ": a precomputed kernel is read from LIBSVM's text alone");
  const SafetensorsFile file = read_safetensors(path);
  const auto x = file.tensors.find("features"), y = file.tensors.find("labels");
  require(x != file.tensors.end() && y != file.tensors.end(), path,
          ": expected tensors 'features' and 'labels', as limbic extract writes them");
  require(x->second.rank() == 2 && x->second.dtype() == DType::f32 &&
              y->second.dtype() == DType::i64 && y->second.size() == x->second.dim(0),
          path, ": expected features (N,D) F32 and labels (N) I64");
  SvmData data{x->second, {}};
  for (int64_t label : y->second.values<int64_t>()) {
    require(std::in_range<int>(label), path, ": expected labels of 32 bits, got ", label);
    data.labels.push_back(static_cast<int>(label));
    data.targets.push_back(static_cast<double>(label));
  }
  file.file.require_intact();
  return data;
}

std::map<int, double> class_weights(const std::vector<std::string>& texts) {
  std::map<int, double> out;
  for (const auto& text : texts) {
    int label = 0;
    double weight = 0;
    char rest = 0;
    require(std::sscanf(text.c_str(), "%d=%lf%c", &label, &weight, &rest) == 2,
            "class weight: expected LABEL=WEIGHT, got '", text, "'");
    out[label] = weight;
  }
  return out;
}

std::vector<std::string> rewrite_libsvm_flags(const std::vector<std::string>& arguments) {
  std::vector<std::string> out;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& a = arguments[i];
    const bool is_weight =
        a.size() > 2 && a.rfind("-w", 0) == 0 &&
        a.find_first_not_of("0123456789", a[2] == '-' ? 3 : 2) == std::string::npos;
    const bool is_grid = a == "-log2c" || a == "-log2g";
    if (is_weight && i + 1 < arguments.size()) {
      out.push_back("--class-weight=" + a.substr(2) + "=" + arguments[++i]);
    } else if (is_grid && i + 1 < arguments.size()) {
      out.push_back("-" + a + "=" + arguments[++i]);
    } else {
      out.push_back(a);
    }
  }
  return out;
}

}  // namespace limbic::cli
