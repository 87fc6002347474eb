#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "limbic/svm/svc.h"
#include "limbic/svm/svr.h"

namespace limbic::svm {

/// Labelled samples, dense.
struct SvmData {
  Tensor x;  ///< F32 (n,d); F64 where that was asked for.
  std::vector<int> labels;
  std::vector<double> targets = {};  ///< The labels as real numbers, for regression.
  int first_index = 1;               ///< Of column 0: 0 where the file has such an index.
  int64_t coarse_feature = -1;       ///< See SparseRows; of F32 alone.
};

struct SvmDataOptions {
  int first_index = 1;     ///< 0: column 0 is index 0 even if the file has none.
  int64_t last_index = 0;  ///< Of the last column at least; the file's largest if that is more.
  int64_t budget_bytes = int64_t{4} << 30;  ///< Of the dense matrix; a larger one throws Error.
  bool real_labels = false;                 ///< Targets instead of labels, any finite numbers.
  bool any_label = false;  ///< Targets, NaN where there is no number: what is to be predicted.
  bool f64 = false;        ///< Values as they stand, not rounded to f32.
};

/// Reads LIBSVM's text format: a line "label index:value ..." a sample, indices from 1 (or 0, as
/// some programs write them and precomputed kernels have them, see KernelType), ascending, those
/// left out being 0; labels whole numbers; "# ..." ends a line. Numbers are read the same in
/// every locale. Throws Error "PATH:LINE: ..." for anything else (not a number, NaN, infinite,
/// an index above 2^31-1, indices out of order) and for a file without samples. Source:
/// https://www.csie.ntu.edu.tw/~cjlin/libsvm/ (README).
SvmData read_svm_data(const std::string& path, const SvmDataOptions& options = {});

/// Writes the same format atomically, leaving zeros out; values %.9g, which restores them exactly.
void write_svm_data(const std::string& path, const SvmData& data);

/// Reads a model that LIBSVM's svm-train wrote: svm_type c_svc or epsilon_svr, kernel_type linear,
/// polynomial, rbf or precomputed. Throws Error "PATH:LINE: ..." for other types and for anything
/// malformed.
std::variant<SvcModel, SvrModel> read_any_svm_model(const std::string& path);

/// The same where it must be a classifier.
SvcModel read_svm_model(const std::string& path);

/// Writes LIBSVM's model format atomically: features %.9g, coefficients, rho and gamma %.17g. The
/// temperature of probabilities has no place in it.
void write_svm_model(const std::string& path, const SvcModel& model);
void write_svm_model(const std::string& path, const SvrModel& model);

/// Adds zero columns to the support vectors, before and behind, until they have the columns of
/// `data`: text files do not tell how many features there were, only the largest that is not 0.
void widen(SvcModel& model, const SvmData& data);
void widen(SvrModel& model, const SvmData& data);

/// How data are to be read for a model: columns at least as it has them.
template <class Model>
SvmDataOptions columns_of(const Model& model) {
  return {.first_index = model.first_index, .last_index = model.features() - 1 + model.first_index};
}

}  // namespace limbic::svm
