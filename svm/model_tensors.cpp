#include "limbic/svm/model_tensors.h"

#include <cmath>
#include <set>

#include "limbic/core/error.h"

namespace limbic::svm {
namespace {

template <class T>
Tensor tensor_of(const std::vector<T>& values) {
  return Tensor::of(values, {std::ssize(values)});
}

template <class T>
std::vector<T> vector_of(const Tensor& tensor) {
  const auto values = tensor.values<T>();
  return {values.begin(), values.end()};
}

bool fits(const Shape& shape, const Shape& pattern) {
  bool same = shape.size() == pattern.size();
  for (size_t i = 0; same && i < shape.size(); ++i) same = pattern[i] < 0 || shape[i] == pattern[i];
  return same;
}

std::string in_words(const Shape& pattern) {
  std::string out = "(";
  for (size_t i = 0; i < pattern.size(); ++i)
    out += str_cat(i ? "," : "", pattern[i] < 0 ? "any" : std::to_string(pattern[i]));
  return out + ")";
}

template <class T>
void require_finite(std::span<const T> values, const std::string& name, const std::string& source) {
  for (size_t i = 0; i < values.size(); ++i)
    require(std::isfinite(values[i]), source, ": '", name, "' holds ", values[i], " at ", i,
            ", expected finite numbers");
}

}  // namespace

Tensor take_tensor(const Tensors& tensors, const std::string& name, DType dtype, const Shape& shape,
                   const std::string& source) {
  const auto found = tensors.find(name);
  require(found != tensors.end(), source, ": lacks '", name, "'");
  const Tensor& tensor = found->second;
  require(tensor.dtype() == dtype && fits(tensor.shape(), shape), source, ": '", name,
          "' expected ", to_string(dtype), in_words(shape), ", got ", to_string(tensor.dtype()),
          in_words(tensor.shape()));
  Tensor copy = tensor.clone();
  if (dtype == DType::f32) require_finite<float>(copy.values<float>(), name, source);
  if (dtype == DType::f64) require_finite<double>(copy.values<double>(), name, source);
  return copy;
}

void add_tensors(const SvcModel& model, Tensors& into) {
  require(model.kernel == KernelType::rbf || model.kernel == KernelType::linear,
          "SVM: only RBF and linear classifiers are kept as tensors");
  if (model.kernel == KernelType::linear) into["svm.linear"] = tensor_of(std::vector<int32_t>{1});
  into["svm.support_vectors"] = model.support_vectors;
  into["svm.dual_coef"] = model.dual_coef;
  into["svm.rho"] = tensor_of(model.rho);
  into["svm.n_sv"] = tensor_of(model.n_sv);
  into["svm.classes"] = tensor_of(std::vector<int32_t>(model.classes.begin(), model.classes.end()));
  into["svm.gamma_temperature"] = tensor_of(std::vector<double>{model.gamma, model.temperature});
}

SvcModel svc_from_tensors(const Tensors& tensors, const std::string& source) {
  const auto take = [&](const char* name, DType dtype, const Shape& shape) {
    return take_tensor(tensors, name, dtype, shape, source);
  };
  SvcModel model;
  if (tensors.contains("svm.linear")) model.kernel = KernelType::linear;
  const auto labels = vector_of<int32_t>(take("svm.classes", DType::i32, {-1}));
  model.classes.assign(labels.begin(), labels.end());
  const int64_t k = std::ssize(labels);
  require(k >= 2, source, ": 'svm.classes' expected two at least, got ", k);
  require(std::ssize(std::set(labels.begin(), labels.end())) == k, source,
          ": 'svm.classes' holds a class twice");

  model.support_vectors = take("svm.support_vectors", DType::f32, {-1, -1});
  const int64_t n = model.support_vectors.dim(0);
  model.n_sv = vector_of<int64_t>(take("svm.n_sv", DType::i64, {k}));
  int64_t left = n;
  for (int64_t count : model.n_sv) {
    require(count >= 0 && count <= left, source, ": 'svm.n_sv' holds ", count, ", of ", left,
            " support vectors that are left");
    left -= count;
  }
  require(left == 0, source, ": 'svm.n_sv' counts ", n - left, " of ", n, " support vectors");

  model.dual_coef = take("svm.dual_coef", DType::f64, {k - 1, n});
  model.rho = vector_of<double>(take("svm.rho", DType::f64, {k * (k - 1) / 2}));
  const Tensor numbers = take("svm.gamma_temperature", DType::f64, {2});
  model.gamma = numbers.data<double>()[0];
  model.temperature = numbers.data<double>()[1];
  require(model.gamma > 0, source, ": gamma expected above 0, got ", model.gamma);
  require(model.temperature > 0, source, ": temperature expected above 0, got ", model.temperature);
  return model;
}

void add_tensors(const BlockScaler& scaler, Tensors& into) {
  into["scaler.centre"] = tensor_of(scaler.centre);
  into["scaler.factor"] = tensor_of(scaler.factor);
  into["scaler.offset"] = tensor_of(scaler.offset);
  into["scaler.variance"] = tensor_of(scaler.variance);
}

BlockScaler scaler_from_tensors(const Tensors& tensors, std::vector<FeatureBlock> blocks,
                                const std::string& source) {
  const auto take = [&](const char* name, int64_t size) {
    return vector_of<double>(take_tensor(tensors, name, DType::f64, {size}, source));
  };
  BlockScaler scaler;
  scaler.centre = take("scaler.centre", -1);
  const int64_t d = scaler.features();
  scaler.factor = take("scaler.factor", d);
  scaler.offset = take("scaler.offset", d);
  scaler.variance = take("scaler.variance", d);
  int64_t begin = 0;
  for (const FeatureBlock& block : blocks) {
    require(block.begin == begin && block.width > 0 && block.width <= d - begin, source,
            ": block '", block.name, "' has ", block.width, " features from ", block.begin,
            ", expected 1 to ", d - begin, " from ", begin);
    begin += block.width;
  }
  require(begin == d, source, ": the blocks hold ", begin, " of ", d, " features");
  scaler.blocks = std::move(blocks);
  return scaler;
}

}  // namespace limbic::svm
