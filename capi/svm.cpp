#include <algorithm>
#include <cstring>

#include "limbic/capi/handles.h"
#include "limbic/svm/libsvm_format.h"
#include "limbic/svm/svc.h"

using namespace limbic;
using namespace limbic::capi;

namespace {

struct SvmObject : Object {
  static constexpr const char* name = "limbic_svm";
  svm::SvcModel model;

  size_t classes() const { return model.classes.size(); }
};

// A view of the caller's rows, for as long as the call takes.
Tensor rows_of(const float* x, size_t rows, size_t columns) {
  constexpr size_t most = size_t{1} << 40;
  check(x != nullptr && rows > 0 && columns > 0, "x: expected rows and columns, got ", rows, " x ",
        columns);
  check(rows <= most / columns, "x: ", rows, " x ", columns, " is more than there can be");
  return Tensor::view(const_cast<float*>(x),
                      {static_cast<int64_t>(rows), static_cast<int64_t>(columns)}, DType::f32,
                      nullptr);
}

svm::SvcOptions options_of(const limbic_svm_options* options) {
  const auto defaults = limbic_svm_defaults();
  const auto o =
      taken(options ? options : &defaults, sizeof(limbic_svm_options), "limbic_svm_options");
  const svm::KernelType kernels[] = {svm::KernelType::rbf, svm::KernelType::linear,
                                     svm::KernelType::polynomial, svm::KernelType::precomputed};
  check(o.kernel >= LIMBIC_RBF && o.kernel <= LIMBIC_PRECOMPUTED, "kernel: expected 0 to 3, got ",
        static_cast<int>(o.kernel));
  svm::SvcOptions out{.C = o.C, .kernel = kernels[o.kernel]};
  out.gamma_rule = o.gamma == 0    ? svm::GammaRule::scale
                   : o.gamma == -1 ? svm::GammaRule::automatic
                                   : svm::GammaRule::value;
  out.gamma = o.gamma;
  out.coef0 = o.coef0;
  out.degree = o.degree;
  out.eps = o.tolerance;
  out.max_iterations = o.max_iterations;
  out.pairwise_probability = o.probability != 0;
  out.seed = o.seed;
  check(o.weights_count == 0 || (o.weighted_labels && o.class_weights), "class_weights: expected ",
        o.weights_count, " labels and weights, got null");
  for (size_t i = 0; i < o.weights_count; ++i)
    out.class_weight[o.weighted_labels[i]] = o.class_weights[i];
  return out;
}

void copy_rows(const Tensor& from, double* to, size_t count, const char* name) {
  check_room(to, count, static_cast<size_t>(from.size()), name);
  std::memcpy(to, from.raw(), static_cast<size_t>(from.bytes()));
}

}  // namespace

limbic_svm_options limbic_svm_defaults() {
  limbic_svm_options o{};
  o.size = sizeof o;
  o.C = 1;
  o.degree = 3;
  o.tolerance = 1e-3;
  return o;
}

limbic_status limbic_svm_fit(const float* x, size_t rows, size_t columns, const int* labels,
                             const limbic_svm_options* options, limbic_svm** out) {
  return guarded([&] {
    check(labels != nullptr && out != nullptr, "limbic_svm_fit: null arguments");
    auto object = std::make_shared<SvmObject>();
    object->model = svm::train_svc(rows_of(x, rows, columns), {labels, rows}, options_of(options));
    *out = static_cast<limbic_svm*>(give(std::move(object)));
  });
}

limbic_status limbic_svm_load(const char* path, limbic_svm** out) {
  return guarded([&] {
    check(path != nullptr && out != nullptr, "limbic_svm_load: null arguments");
    auto object = std::make_shared<SvmObject>();
    object->model = svm::read_svm_model(path);
    *out = static_cast<limbic_svm*>(give(std::move(object)));
  });
}

limbic_status limbic_svm_save(limbic_svm* handle, const char* path) {
  return guarded([&] {
    check(path != nullptr, "path: is null");
    svm::write_svm_model(path, find<SvmObject>(handle)->model);
  });
}

limbic_status limbic_svm_free(limbic_svm* handle) {
  return guarded([&] { release<SvmObject>(handle); });
}

limbic_status limbic_svm_get_info(limbic_svm* handle, limbic_svm_info* info) {
  return guarded([&] {
    check(info != nullptr && info->size == sizeof *info, "limbic_svm_info.size: expected ",
          sizeof *info);
    const auto object = find<SvmObject>(handle);
    const svm::SvcModel& m = object->model;
    info->classes = m.classes.size();
    info->features = static_cast<size_t>(m.features());
    info->support_vectors = static_cast<size_t>(m.support_vectors.dim(0));
    info->iterations = 0;
    for (const svm::PairReport& pair : m.pairs)
      info->iterations = std::max(info->iterations, pair.iterations);
    info->converged = m.converged();
    info->gamma = m.gamma;
    info->probability = !m.prob_a.empty();
  });
}

limbic_status limbic_svm_classes(limbic_svm* handle, int* labels, size_t count) {
  return guarded([&] {
    const auto object = find<SvmObject>(handle);
    check_room(labels, count, object->classes(), "labels");
    std::copy(object->model.classes.begin(), object->model.classes.end(), labels);
  });
}

limbic_status limbic_svm_parts(limbic_svm* handle, int64_t* support, float* vectors,
                               double* coefficients, double* intercepts, int64_t* per_class) {
  return guarded([&] {
    const auto object = find<SvmObject>(handle);
    const svm::SvcModel& m = object->model;
    if (support) {
      require(!m.support_indices.empty(),
              "support: a model that was loaded does not know the rows");
      std::copy(m.support_indices.begin(), m.support_indices.end(), support);
    }
    if (vectors)
      std::memcpy(vectors, m.support_vectors.raw(), static_cast<size_t>(m.support_vectors.bytes()));
    if (coefficients)
      std::memcpy(coefficients, m.dual_coef.raw(), static_cast<size_t>(m.dual_coef.bytes()));
    if (intercepts)
      std::transform(m.rho.begin(), m.rho.end(), intercepts, [](double rho) { return -rho; });
    if (per_class) std::copy(m.n_sv.begin(), m.n_sv.end(), per_class);
  });
}

limbic_status limbic_svm_predict(limbic_svm* handle, const float* x, size_t rows, size_t columns,
                                 int* labels) {
  return guarded([&] {
    check(labels != nullptr, "labels: is null");
    const auto object = find<SvmObject>(handle);
    const std::vector<int> predicted = svm::predict(object->model, rows_of(x, rows, columns));
    std::copy(predicted.begin(), predicted.end(), labels);
  });
}

limbic_status limbic_svm_decisions(limbic_svm* handle, const float* x, size_t rows, size_t columns,
                                   double* decisions, size_t count) {
  return guarded([&] {
    const auto object = find<SvmObject>(handle);
    copy_rows(svm::decision_values(object->model, rows_of(x, rows, columns)), decisions, count,
              "decisions");
  });
}

limbic_status limbic_svm_probabilities(limbic_svm* handle, const float* x, size_t rows,
                                       size_t columns, double* values, size_t count) {
  return guarded([&] {
    const auto object = find<SvmObject>(handle);
    copy_rows(svm::pairwise_probabilities(object->model, rows_of(x, rows, columns)), values, count,
              "values");
  });
}
