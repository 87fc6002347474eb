#include <cmath>
#include <cstdio>
#include <filesystem>

#include "limbic/cli/output.h"
#include "limbic/cli/svm_options.h"
#include "limbic/cli/verbs.h"
#include "limbic/svm/cross_validation.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string data, model;
  SvmOptions svm;
  int folds = 0;
  bool quiet = false;
};

// LIBSVM's lines of one problem.
void print_problem(int64_t iterations, double nu, double objective, double rho, int64_t n_sv,
                   int64_t n_bounded) {
  std::printf("optimization finished, #iter = %ld\nnu = %f\nobj = %f, rho = %f\n", iterations, nu,
              objective, rho);
  std::printf("nSV = %ld, nBSV = %ld\n", n_sv, n_bounded);
}

void train_classifier(const Common& common, const Options& o, const svm::SvmData& data) {
  svm::SvcModel model = svm::train_svc(data.x, data.labels, svc_options(common, o.svm, data));
  model.first_index = data.first_index;
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
      print_problem(model.pairs[p].iterations, model.pairs[p].nu, model.pairs[p].objective,
                    model.rho[p], model.pairs[p].n_sv, model.pairs[p].n_bounded);
    std::printf("Total nSV = %ld\n", model.support_vectors.dim(0));
  }
}

void train_regression(const Common& common, const Options& o, const svm::SvmData& data) {
  svm::SvrModel model = svm::train_svr(data.x, data.targets, svr_options(common, o.svm, data));
  model.first_index = data.first_index;
  warn_unless_converged(common, model.converged);
  svm::write_svm_model(o.model, model);
  if (common.json())
    print_json({{"model", o.model},
                {"total_sv", model.support_vectors.dim(0)},
                {"gamma", model.kernel.gamma},
                {"objective", model.objective},
                {"rho", model.rho},
                {"iterations", model.iterations}});
  else if (!o.quiet && !common.quiet) {
    double sum = 0;
    for (double coef : model.coef) sum += std::abs(coef);
    print_problem(model.iterations, sum / (o.svm.C * static_cast<double>(data.x.dim(0))),
                  model.objective, model.rho, model.support_vectors.dim(0), model.n_bounded);
  }
}

void cross_validate_classifier(const Common& common, const Options& o, const svm::SvmData& data) {
  bool converged = true;
  const double accuracy = svm::cross_validate(data.x, data.labels, svc_options(common, o.svm, data),
                                              o.folds, &converged);
  warn_unless_converged(common, converged);
  if (common.json())
    print_json({{"cross_validation_accuracy", accuracy}});
  else
    std::printf("Cross Validation Accuracy = %g%%\n", 100 * accuracy);
}

void cross_validate_regression(const Common& common, const Options& o, const svm::SvmData& data) {
  bool converged = true;
  const svm::RegressionScore score = svm::score_regression(
      data.targets, svm::cross_validate(data.x, data.targets, svr_options(common, o.svm, data),
                                        o.folds, common.seed, &converged));
  warn_unless_converged(common, converged);
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
  const bool regression = o.svm.regression();
  const svm::SvmData data = read_training_data(common, o.data, o.svm);
  if (o.model.empty()) o.model = std::filesystem::path(o.data).filename().string() + ".model";
  o.folds = folds_for(common, o.folds, data);
  if (o.folds == 0) require_writable(o.model);
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
  add_svm_options(verb, o->svm);
  verb.add_option("-v", o->folds, "folds of a cross-validation instead of a model")
      .check(range(2, 1000000));
  verb.add_flag("-q", o->quiet, "print nothing");
  verb.add_option("training_set_file", o->data, "LIBSVM text or .safetensors").required();
  verb.add_option("model_file", o->model, "model to write (default: DATA.model)");
}

}  // namespace limbic::cli
