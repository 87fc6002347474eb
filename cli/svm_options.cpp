#include "limbic/cli/svm_options.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "limbic/cli/svm_data.h"

namespace limbic::cli {
namespace {

// "LABEL=WEIGHT" texts by label.
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

// LIBSVM's default, which does not count an index 0.
double gamma_of(const SvmOptions& o, const svm::SvmData& data) {
  const double largest_index = static_cast<double>(data.x.dim(1) - 1 + data.first_index);
  return o.gamma > 0 || o.precomputed() ? o.gamma : 1 / std::max(largest_index, 1.0);
}

}  // namespace

svm::KernelType SvmOptions::kernel_type() const {
  require(kernel != 3,
          "-t 3: the sigmoid kernel is not supported, as it is no kernel for most parameters; use "
          "-t 0 (linear), 1 (polynomial), 2 (RBF) or 4 (precomputed)");
  constexpr svm::KernelType types[] = {svm::KernelType::linear, svm::KernelType::polynomial,
                                       svm::KernelType::rbf, svm::KernelType::rbf,
                                       svm::KernelType::precomputed};
  return types[kernel];
}

svm::SvmData read_training_data(const Common& common, const std::string& path,
                                const SvmOptions& o) {
  o.kernel_type();  // a kernel that is not there is said before the work
  svm::SvmData data =
      read_svm_input(path, {.first_index = o.precomputed() ? 0 : 1, .real_labels = o.regression()});
  warn_if_coarse(common, path, data);
  return data;
}

svm::SvcOptions svc_options(const Common& common, const SvmOptions& o, const svm::SvmData& data) {
  const auto has = [&](int label) {
    return std::find(data.labels.begin(), data.labels.end(), label) != data.labels.end();
  };
  std::map<int, double> weights = class_weights(o.weights);
  std::erase_if(weights, [&](const auto& entry) {
    if (!has(entry.first))
      note(common,
           str_cat("WARNING: class label ", entry.first, " specified in weight is not found"));
    return !has(entry.first);
  });
  if (std::all_of(data.labels.begin(), data.labels.end(),
                  [&](int label) { return label == data.labels[0]; }))
    note(common, "WARNING: training data in only one class; a model of them always says it");
  return {.C = o.C,
          .kernel = o.kernel_type(),
          .gamma_rule = svm::GammaRule::value,
          .gamma = gamma_of(o, data),
          .coef0 = o.coef0,
          .degree = o.degree,
          .eps = o.eps,
          .shrinking = o.shrinking != 0,
          .class_weight = weights,
          .one_class_too = true,
          .budget_bytes = static_cast<int64_t>(o.cache_mb * 1024 * 1024),
          .pairwise_probability = o.probability != 0,
          .seed = common.seed};
}

svm::SvrOptions svr_options(const Common& common, const SvmOptions& o, const svm::SvmData& data) {
  if (!o.weights.empty()) note(common, "class weights (-w) do not apply to regression (-s 3)");
  return {.C = o.C,
          .epsilon = o.epsilon,
          .kernel = o.kernel_type(),
          .gamma_rule = svm::GammaRule::value,
          .gamma = gamma_of(o, data),
          .coef0 = o.coef0,
          .degree = o.degree,
          .eps = o.eps,
          .shrinking = o.shrinking != 0,
          .budget_bytes = static_cast<int64_t>(o.cache_mb * 1024 * 1024),
          .fit_error = o.probability != 0,
          .seed = common.seed};
}

int folds_for(const Common& common, int folds, const svm::SvmData& data) {
  const int64_t rows = data.x.dim(0);
  if (folds <= rows) return folds;
  note(common,
       "WARNING: # folds > # data. Will use # folds = # data instead (i.e., leave-one-out cross "
       "validation)");
  return static_cast<int>(rows);
}

void warn_unless_converged(const Common& common, bool converged) {
  if (!converged)
    note(common,
         "warning: the iteration limit was reached before the SVM converged; scale the "
         "features (limbic svm-scale) or lower -c");
}

void add_svm_options(const Verb& verb, SvmOptions& o) {
  verb.keep_h_free();
  verb.add_option("-s", o.svm_type, "0: C-SVC, 3: epsilon-SVR").check(zero_or(3));
  verb.add_option("-t", o.kernel, "kernel: 0 linear, 1 polynomial, 2 RBF, 4 precomputed")
      .check(range(0, 4));
  verb.add_option("-d", o.degree, "degree of the polynomial kernel").check(range(0, 100));
  verb.add_option("-g", o.gamma, "gamma (0: 1 / number of features)").check(not_negative());
  verb.add_option("-r", o.coef0, "coef0 of the polynomial kernel");
  verb.add_option("-p", o.epsilon, "epsilon of regression: errors up to it cost nothing")
      .check(not_negative());
  verb.add_option("-n", o.nu, "nu; taken as LIBSVM does, neither type uses it");
  verb.add_option("-c", o.C, "C; inf: no training error is allowed")
      .check(above_zero_or_infinite());
  verb.add_option("-m", o.cache_mb,
                  "megabytes for kernel values: the matrix where it fits, else a cache of rows")
      .check(megabytes());
  verb.add_option("-e", o.eps, "tolerance of termination").check(above_zero());
  verb.add_option("-h", o.shrinking, "shrinking: 0 or 1").check(zero_or(1));
  verb.add_option("-b", o.probability, "1: fit probability estimates (regression: of the errors)")
      .check(zero_or(1));
  verb.add_option("--class-weight", o.weights, "LABEL=FACTOR of C; LIBSVM's -wLABEL FACTOR too")
      .one_value_each();
}

std::vector<std::string> rewrite_libsvm_flags(const std::vector<std::string>& arguments) {
  const auto is_weight = [](const std::string& a) {
    return a.size() > 2 && a.rfind("-w", 0) == 0 &&
           a.find_first_not_of("0123456789", a[2] == '-' || a[2] == '+' ? 3 : 2) ==
               std::string::npos;
  };
  const auto is_long = [](const std::string& a) {
    for (const char* flag : {"-log2c", "-log2g", "-out", "-png", "-svmtrain", "-gnuplot"})
      if (a == flag) return true;
    return false;
  };
  std::vector<std::string> out;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& a = arguments[i];
    const bool followed = i + 1 < arguments.size();
    if (is_weight(a) && followed) {
      out.push_back("--class-weight=" + a.substr(2) + "=" + arguments[++i]);
    } else if (is_long(a) && followed) {
      out.push_back("-" + a + "=" + arguments[++i]);
    } else if (a == "-resume") {  // a file may follow; the last argument is the data
      if (i + 2 < arguments.size() && arguments[i + 1][0] != '-')
        out.push_back("--out=" + arguments[++i]);
    } else {
      out.push_back(a);
    }
  }
  return out;
}

}  // namespace limbic::cli
