#pragma once
// The cases of tests/goldens/make_svm_goldens.py.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "limbic/svm/libsvm_format.h"

namespace limbic::testing {

inline const char* const golden_cases[] = {"iris",        "iris_linear", "wine_raw",
                                           "wine_scaled", "cancer_raw",  "cancer_scaled",
                                           "unbalanced",  "eight",       "contradictory"};

inline std::string golden_path(const std::string& name) {
  const std::string path = std::string(LIMBIC_SOURCE_DIR) + "/tests/goldens/svm/" + name;
  require(std::filesystem::exists(path), path,
          " is missing; make it with /usr/bin/python3 tests/goldens/make_svm_goldens.py");
  return path;
}

inline std::string temporary(const std::string& name) {
  const auto folder = std::filesystem::temp_directory_path() / str_cat("limbic-svm-", getpid());
  std::filesystem::create_directories(folder);
  return (folder / name).string();
}

struct Golden {
  explicit Golden(const std::string& name)
      : data(svm::read_svm_data(golden_path(name + ".data"))),
        model(svm::read_svm_model(golden_path(name + ".model"))) {
    std::ifstream in(golden_path(name + ".golden"));
    options.eps = 1e-5;
    options.gamma_rule = svm::GammaRule::value;
    for (std::string line; std::getline(in, line);) read_line(line);
    widen(model, data);
  }

  svm::SvmData data;
  svm::SvcModel model;  ///< LIBSVM's own.
  svm::SvcOptions options;
  std::vector<double> objective;
  std::vector<int64_t> rows;
  std::vector<int> labels;
  std::vector<std::vector<double>> decisions;  ///< Of `rows`.

  Tensor checked_rows() const {
    const int64_t d = data.x.dim(1);
    Tensor out({std::ssize(rows), d});
    for (int64_t i = 0; i < std::ssize(rows); ++i)
      std::copy_n(data.x.data() + rows[static_cast<size_t>(i)] * d, d, out.data() + i * d);
    return out;
  }

 private:
  template <class T>
  static std::vector<T> rest(std::istringstream& in) {
    std::vector<T> out;
    for (T value; in >> value;) out.push_back(value);
    return out;
  }

  void read_line(const std::string& line) {
    std::istringstream in(line);
    std::string key, word;
    in >> key;
    if (key == "C") in >> options.C;
    if (key == "gamma") in >> options.gamma;
    if (key == "kernel" && in >> word && word == "linear") options.kernel = svm::KernelType::linear;
    if (key == "weights") {
      int label = 0;
      for (double weight = 0; in >> label >> weight;) options.class_weight[label] = weight;
    }
    if (key == "objective") objective = rest<double>(in);
    if (key == "rows") rows = rest<int64_t>(in);
    if (key == "labels") labels = rest<int>(in);
    if (key == "decision") decisions.push_back(rest<double>(in));
  }
};

}  // namespace limbic::testing
