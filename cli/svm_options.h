#pragma once
#include <string>
#include <vector>

#include "limbic/cli/arguments.h"
#include "limbic/cli/console.h"
#include "limbic/svm/libsvm_format.h"

namespace limbic::cli {

/// What svm-train and svm-grid take of LIBSVM's flags.
struct SvmOptions {
  int svm_type = 0, kernel = 2, shrinking = 1, probability = 0;
  int degree = 3;
  double C = 1, gamma = 0, coef0 = 0, epsilon = 0.1, eps = 1e-3, cache_mb = 4096, nu = 0.5;
  std::vector<std::string> weights;

  bool regression() const { return svm_type == 3; }
  bool precomputed() const { return kernel == 4; }
  svm::KernelType kernel_type() const;
};

void add_svm_options(const Verb& verb, SvmOptions& options);

/// Data as these options ask for them. Says where single precision is too coarse for them.
svm::SvmData read_training_data(const Common& common, const std::string& path,
                                const SvmOptions& options);

/// Where gamma is 0 it is 1 / the largest index. Weights of classes that the data do not have, and
/// data of one class, are said on standard error and taken.
svm::SvcOptions svc_options(const Common& common, const SvmOptions& o, const svm::SvmData& data);
svm::SvrOptions svr_options(const Common& common, const SvmOptions& o, const svm::SvmData& data);

/// Folds that there are rows for; says so where they are fewer than asked for.
int folds_for(const Common& common, int folds, const svm::SvmData& data);

/// The warning where a training met its limit of iterations.
void warn_unless_converged(const Common& common, bool converged);

/// LIBSVM's flags in a form that the argument parser knows: "-w1 2" becomes "--class-weight=1=2",
/// "-log2c -5,15,2" becomes "--log2c=-5,15,2", and so do grid.py's other long flags.
std::vector<std::string> rewrite_libsvm_flags(const std::vector<std::string>& arguments);

}  // namespace limbic::cli
