#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "cli/svm_data.h"
#include "cli/verbs.h"
#include "limbic/svm/cross_validation.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string data, model;
  int svm_type = 0, kernel = 2, shrinking = 1, probability = 0, folds = 0;
  int degree = 3;
  double C = 1, gamma = 0, coef0 = 0, epsilon = 0.1, eps = 1e-3, cache_mb = 4096, nu = 0.5;
  std::vector<std::string> weights;
  bool quiet = false;
};

svm::KernelType kernel_type(int libsvm) {
  require(libsvm != 3,
          "-t 3: the sigmoid kernel is not supported, as it is no kernel for most parameters; use "
          "-t 0 (linear), 1 (polynomial), 2 (RBF) or 4 (precomputed)");
  constexpr svm::KernelType types[] = {svm::KernelType::linear, svm::KernelType::polynomial,
                                       svm::KernelType::rbf, svm::KernelType::rbf,
                                       svm::KernelType::precomputed};
  return types[libsvm];
}

svm::SvcOptions svc_options(const Common& common, const Options& o) {
  return {
      .C = o.C,
      .kernel = kernel_type(o.kernel),
      .gamma_rule = o.gamma > 0 ? svm::GammaRule::value : svm::GammaRule::automatic,  // 1/features
      .gamma = o.gamma,
      .coef0 = o.coef0,
      .degree = o.degree,
      .eps = o.eps,
      .shrinking = o.shrinking != 0,
      .class_weight = class_weights(o.weights),
      .budget_bytes = static_cast<int64_t>(o.cache_mb * 1024 * 1024),
      .pairwise_probability = o.probability != 0,
      .seed = common.seed};
}

svm::SvrOptions svr_options(const Common& common, const Options& o) {
  const svm::SvcOptions c = svc_options(common, o);
  return {.C = c.C,
          .epsilon = o.epsilon,
          .kernel = c.kernel,
          .gamma_rule = c.gamma_rule,
          .gamma = c.gamma,
          .coef0 = c.coef0,
          .degree = c.degree,
          .eps = c.eps,
          .shrinking = c.shrinking,
          .budget_bytes = c.budget_bytes,
          .fit_error = o.probability != 0,
          .seed = common.seed};
}

void warn_unless_converged(const Common& common, bool converged) {
  if (!converged)
    note(common,
         "warning: the iteration limit was reached before the SVM converged; scale the "
         "features (limbic svm-scale) or lower -c");
}

// Of classes that the data have; LIBSVM warns of the others, too.
svm::SvcOptions options_for(const Common& common, const Options& o, const svm::SvmData& data) {
  svm::SvcOptions out = svc_options(common, o);
  std::erase_if(out.class_weight, [&](const auto& entry) {
    const bool absent =
        std::find(data.labels.begin(), data.labels.end(), entry.first) == data.labels.end();
    if (absent)
      note(common,
           str_cat("WARNING: class label ", entry.first, " specified in weight is not found"));
    return absent;
  });
  return out;
}

void train_classifier(const Common& common, const Options& o, const svm::SvmData& data) {
  const svm::SvcModel model = svm::train_svc(data.x, data.labels, options_for(common, o, data));
  warn_unless_converged(common, model.converged());
  svm::write_svm_model(o.model, model);
  if (common.json()) {
    nlohmann::ordered_json pairs = nlohmann::ordered_json::array();
    for (size_t p = 0; p < model.pairs.size(); ++p)
      pairs.push_back({{"objective", model.pairs[p].objective},
                       {"rho", model.rho[p]},
                       {"n_sv", model.pairs[p].n_sv},
                       {"iterations", model.pairs[p].iterations}});
    print_json({{"model", o.model},
                {"total_sv", model.support_vectors.dim(0)},
                {"gamma", model.gamma},
                {"pairs", pairs}});
  } else if (!o.quiet && !common.quiet) {
    for (size_t p = 0; p < model.pairs.size(); ++p)
      std::printf("obj = %f, rho = %f\nnSV = %ld, nBSV = %ld\n", model.pairs[p].objective,
                  model.rho[p], model.pairs[p].n_sv, model.pairs[p].n_bounded);
    std::printf("Total nSV = %ld\n", model.support_vectors.dim(0));
  }
}

void train_regression(const Common& common, const Options& o, const svm::SvmData& data) {
  const svm::SvrModel model = svm::train_svr(data.x, data.targets, svr_options(common, o));
  warn_unless_converged(common, model.converged);
  svm::write_svm_model(o.model, model);
  if (common.json())
    print_json({{"model", o.model},
                {"total_sv", model.support_vectors.dim(0)},
                {"gamma", model.kernel.gamma},
                {"objective", model.objective},
                {"rho", model.rho},
                {"iterations", model.iterations}});
  else if (!o.quiet && !common.quiet)
    std::printf("obj = %f, rho = %f\nnSV = %ld, nBSV = %ld\n", model.objective, model.rho,
                model.support_vectors.dim(0), model.n_bounded);
}

void cross_validate_classifier(const Common& common, const Options& o, const svm::SvmData& data) {
  const double accuracy =
      svm::cross_validate(data.x, data.labels, options_for(common, o, data), o.folds);
  if (common.json())
    print_json({{"cross_validation_accuracy", accuracy}});
  else
    std::printf("Cross Validation Accuracy = %g%%\n", 100 * accuracy);
}

void cross_validate_regression(const Common& common, const Options& o, const svm::SvmData& data) {
  const svm::RegressionScore score = svm::score_regression(
      data.targets,
      svm::cross_validate(data.x, data.targets, svr_options(common, o), o.folds, common.seed));
  if (common.json())
    print_json({{"cross_validation_mean_squared_error", score.mean_squared_error},
                {"squared_correlation", score.squared_correlation}});
  else
    std::printf(
        "Cross Validation Mean squared error = %g\n"
        "Cross Validation Squared correlation coefficient = %g\n",
        score.mean_squared_error, score.squared_correlation);
}

int run(const Common& common, Options& o) {
  const bool regression = o.svm_type == 3;
  if (regression && !o.weights.empty())
    note(common, "class weights (-w) do not apply to regression (-s 3)");
  const svm::KernelType kernel = kernel_type(o.kernel);
  const svm::SvmData data = read_svm_input(
      o.data, {.real_labels = regression, .precomputed = kernel == svm::KernelType::precomputed});
  if (o.model.empty()) o.model = std::filesystem::path(o.data).filename().string() + ".model";
  if (o.folds > data.x.dim(0)) {
    note(common,
         "WARNING: # folds > # data. Will use # folds = # data instead (i.e., leave-one-out "
         "cross validation)");
    o.folds = static_cast<int>(data.x.dim(0));
  }
  if (o.folds > 0)
    (regression ? cross_validate_regression : cross_validate_classifier)(common, o, data);
  else
    (regression ? train_regression : train_classifier)(common, o, data);
  return done;
}

}  // namespace

void add_svm_train(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb =
      add_verb(app, action, "svm-train", "Trains an SVM; LIBSVM's flags and files.",
               "limbic svm-train -c 1.5 -g 0.01 train.txt train.model", o, run, common);
  verb.keep_h_free();
  verb.add_option("-s", o->svm_type, "0: C-SVC, 3: epsilon-SVR").check(zero_or(3));
  verb.add_option("-t", o->kernel, "kernel: 0 linear, 1 polynomial, 2 RBF, 4 precomputed")
      .check(range(0, 4));
  verb.add_option("-d", o->degree, "degree of the polynomial kernel (3)").check(range(0, 100));
  verb.add_option("-g", o->gamma, "gamma (default: 1 / number of features)").check(not_negative());
  verb.add_option("-r", o->coef0, "coef0 of the polynomial kernel (0)");
  verb.add_option("-p", o->epsilon, "epsilon of regression: errors up to it cost nothing (0.1)")
      .check(not_negative());
  verb.add_option("-n", o->nu, "nu; taken as LIBSVM does, neither type uses it");
  verb.add_option("-c", o->C, "C").check(above_zero());
  verb.add_option(
          "-m", o->cache_mb,
          "megabytes for kernel values: the matrix where it fits, else a cache of rows (4096)")
      .check(megabytes());
  verb.add_option("-e", o->eps, "tolerance of termination").check(above_zero());
  verb.add_option("-h", o->shrinking, "shrinking: 0 or 1").check(zero_or(1));
  verb.add_option("-b", o->probability, "1: fit probability estimates (regression: of the errors)")
      .check(zero_or(1));
  verb.add_option("-v", o->folds, "folds of a cross-validation instead of a model")
      .check(range(2, 1000000));
  verb.add_option("--class-weight", o->weights, "LABEL=FACTOR of C; LIBSVM's -wLABEL FACTOR too")
      .one_value_each();
  verb.add_flag("-q", o->quiet, "print nothing");
  verb.add_option("training_set_file", o->data, "LIBSVM text or .safetensors").required();
  verb.add_option("model_file", o->model, "model to write (default: DATA.model)");
}

}  // namespace limbic::cli
