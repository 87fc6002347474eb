#include <cstdio>

#include "limbic/cli/output.h"
#include "limbic/cli/svm_data.h"
#include "limbic/cli/verbs.h"
#include "limbic/core/file.h"
#include "limbic/svm/text.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string data, model, output;
  int probability = 0;
  bool quiet = false;
};

constexpr const char* unused_probability =
    "Model supports probability estimates, but disabled in prediction.";  // LIBSVM's words

int classify(const Common& common, const Options& o, svm::SvcModel model) {
  if (o.probability == 0 && !model.prob_a.empty()) note(common, unused_probability);
  svm::SvmDataOptions columns = svm::columns_of(model);
  columns.any_label = true;
  const svm::SvmData data = read_svm_input(o.data, columns);
  warn_if_coarse(common, o.data, data);
  widen(model, data);
  Tensor probability;
  std::vector<int> predicted;
  if (o.probability == 1) {
    probability = svm::pairwise_probabilities(model, data.x);
    predicted = svm::most_probable(model, probability);
  } else {
    predicted = svm::predict(model, data.x);
  }
  write_atomically(o.output, [&](std::ostream& out) {
    if (o.probability == 1) out << "labels";
    for (size_t c = 0; o.probability == 1 && c < model.classes.size(); ++c)
      out << ' ' << model.classes[c];
    if (o.probability == 1) out << '\n';
    for (size_t i = 0; i < predicted.size(); ++i) {
      out << predicted[i];
      for (int64_t c = 0; o.probability == 1 && c < probability.dim(1); ++c)
        out << ' '
            << svm::format_number(
                   probability.data<double>()[static_cast<int64_t>(i) * probability.dim(1) + c], 6);
      out << '\n';
    }
  });
  int64_t right = 0;
  for (size_t i = 0; i < predicted.size(); ++i) right += predicted[i] == data.targets[i];
  const double accuracy = static_cast<double>(right) / static_cast<double>(predicted.size());
  if (common.json())
    print_json({{"accuracy", accuracy}, {"correct", right}, {"samples", predicted.size()}});
  else if (!o.quiet && !common.quiet)
    std::printf("Accuracy = %g%% (%ld/%zu) (classification)\n", 100 * accuracy, right,
                predicted.size());
  return done;
}

int regress(const Common& common, const Options& o, svm::SvrModel model) {
  require(o.probability == 0 || model.error_scale, o.model,
          ": has no probA; train it with svm-train -b 1");
  if (o.probability == 0 && model.error_scale) note(common, unused_probability);
  svm::SvmDataOptions columns = svm::columns_of(model);
  columns.real_labels = true;
  const svm::SvmData data = read_svm_input(o.data, columns);
  warn_if_coarse(common, o.data, data);
  widen(model, data);
  const std::vector<double> predicted = svm::predict(model, data.x);
  write_atomically(o.output, [&](std::ostream& out) {
    for (double value : predicted) out << svm::format_number(value, 17) << '\n';
  });
  const svm::RegressionScore score = svm::score_regression(data.targets, predicted);
  if (common.json()) {
    nlohmann::ordered_json line{{"mean_squared_error", score.mean_squared_error},
                                {"squared_correlation", score.squared_correlation},
                                {"samples", predicted.size()}};
    if (o.probability == 1) line["sigma"] = *model.error_scale;
    print_json(line);
  } else if (!o.quiet && !common.quiet) {
    if (o.probability == 1)
      std::printf(
          "Prob. model for test data: target value = predicted value + z,\n"
          "z: Laplace distribution e^(-|z|/sigma)/(2sigma),sigma=%g\n",
          *model.error_scale);
    std::printf(
        "Mean squared error = %g (regression)\n"
        "Squared correlation coefficient = %g (regression)\n",
        score.mean_squared_error, score.squared_correlation);
  }
  return done;
}

int run(const Common& common, Options& o) {
  require_writable(o.output);
  auto model = svm::read_any_svm_model(o.model);
  if (std::holds_alternative<svm::SvrModel>(model))
    return regress(common, o, std::get<svm::SvrModel>(std::move(model)));
  return classify(common, o, std::get<svm::SvcModel>(std::move(model)));
}

}  // namespace

void add_svm_predict(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb =
      add_verb(app, action, "svm-predict", "Predicts with an SVM; LIBSVM's flags and files.",
               "limbic svm-predict test.txt train.model labels.txt", o, run, common);
  verb.add_option("-b", o->probability, "1: probability estimates of a model of svm-train -b 1")
      .check(zero_or(1));
  verb.add_flag("-q", o->quiet, "print nothing");
  verb.add_option("test_file", o->data, "LIBSVM text or .safetensors").required();
  verb.add_option("model_file", o->model, "made by svm-train, ours or LIBSVM's").required();
  verb.add_option("output_file", o->output, "predicted labels, one a line").required();
}

}  // namespace limbic::cli
