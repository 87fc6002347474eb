#include <cstdio>
#include <filesystem>

#include "cli/svm_data.h"
#include "cli/verbs.h"
#include "io/dataset.h"
#include "svm/svc.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string data, model;
  int svm_type = 0, kernel = 2, shrinking = 1, probability = 0, folds = 0;
  double C = 1, gamma = 0, eps = 1e-3, cache_mb = 4096;
  std::vector<std::string> weights;
  bool quiet = false;
};

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

Tensor take_rows(const Tensor& x, const std::vector<int64_t>& rows) {
  const int64_t d = x.dim(1);
  Tensor out({static_cast<int64_t>(rows.size()), d});
  for (size_t i = 0; i < rows.size(); ++i)
    std::copy_n(x.data() + rows[i] * d, d, out.data() + static_cast<int64_t>(i) * d);
  return out;
}

// Share of right answers, each row predicted by a model that was trained without its fold.
double cross_validate(const SvmData& data, const SvcOptions& options, int64_t folds) {
  const int64_t n = data.x.dim(0);
  require(folds <= n, "-v ", folds, ": more folds than the ", n, " rows");
  const auto order = shuffle_order(n, options.seed, 0);
  int64_t right = 0;
  for (int64_t f = 0; f < folds; ++f) {
    std::vector<int64_t> inside, outside;
    std::vector<int> labels;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t row = order[static_cast<size_t>(i)];
      if (i * folds / n == f) {
        outside.push_back(row);
      } else {
        inside.push_back(row);
        labels.push_back(data.labels[static_cast<size_t>(row)]);
      }
    }
    const SvcModel model = train_svc(take_rows(data.x, inside), labels, options);
    const auto predicted = predict(model, take_rows(data.x, outside));
    for (size_t i = 0; i < outside.size(); ++i)
      right += predicted[i] == data.labels[static_cast<size_t>(outside[i])];
  }
  return static_cast<double>(right) / static_cast<double>(n);
}

int run(const Common& common, Options& o) {
  const SvmData data = read_svm_input(o.data);
  SvcOptions svc;
  svc.C = o.C;
  svc.kernel = o.kernel == 0 ? KernelType::linear : KernelType::rbf;
  svc.gamma_rule = o.gamma > 0 ? GammaRule::value : GammaRule::automatic;  // LIBSVM: 1/features
  svc.gamma = o.gamma;
  svc.eps = o.eps;
  svc.shrinking = o.shrinking != 0;
  svc.class_weight = class_weights(o.weights);
  svc.budget_bytes = static_cast<int64_t>(o.cache_mb * 1024 * 1024);
  svc.seed = common.seed;
  if (o.folds > 0) {
    const double accuracy = cross_validate(data, svc, o.folds);
    if (common.json())
      print_json({{"cross_validation_accuracy", accuracy}});
    else
      std::printf("Cross Validation Accuracy = %g%%\n", 100 * accuracy);
    return done;
  }
  const SvcModel model = train_svc(data.x, data.labels, svc);
  if (!model.converged())
    note(common,
         "warning: the iteration limit was reached before the SVM converged; scale the "
         "features (limbic svm-scale) or lower -c");
  if (o.model.empty()) o.model = std::filesystem::path(o.data).filename().string() + ".model";
  write_svm_model(o.model, model);
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
  return done;
}

}  // namespace

void add_svm_train(CLI::App& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App* verb =
      add_verb(app, action, "svm-train", "Trains an SVM; LIBSVM's flags and files.",
               "limbic svm-train -c 1.5 -g 0.01 train.txt train.model", o, run, common);
  verb->set_help_flag("--help", "print this help");
  verb->add_option("-s", o->svm_type, "0: C-SVC")->check(CLI::IsMember({0}));
  verb->add_option("-t", o->kernel, "kernel: 0 linear, 2 RBF")->check(CLI::IsMember({0, 2}));
  verb->add_option("-g", o->gamma, "gamma (default: 1 / number of features)")
      ->check(CLI::PositiveNumber);
  verb->add_option("-c", o->C, "C")->check(CLI::PositiveNumber);
  verb->add_option("-m", o->cache_mb, "megabytes for the kernel matrix")
      ->check(CLI::PositiveNumber);
  verb->add_option("-e", o->eps, "tolerance of termination")->check(CLI::PositiveNumber);
  verb->add_option("-h", o->shrinking, "shrinking: 0 or 1")->check(CLI::IsMember({0, 1}));
  verb->add_option("-b", o->probability, "probability estimates: 0")->check(CLI::IsMember({0}));
  verb->add_option("-v", o->folds, "folds of a cross-validation instead of a model")
      ->check(CLI::Range(2, 1000000));
  verb->add_option("--class-weight", o->weights, "LABEL=FACTOR of C; LIBSVM's -wLABEL FACTOR too");
  verb->add_flag("-q", o->quiet, "print nothing");
  verb->add_option("training_set_file", o->data, "LIBSVM text or .safetensors")->required();
  verb->add_option("model_file", o->model, "model to write (default: DATA.model)");
}

}  // namespace limbic::cli
