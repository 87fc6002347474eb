#include <cstdio>

#include "cli/svm_data.h"
#include "cli/verbs.h"
#include "nn/core/file.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string data, model, output;
  int probability = 0;
  bool quiet = false;
};

int run(const Common& common, Options& o) {
  SvcModel model = read_svm_model(o.model);
  const SvmData data = read_svm_input(o.data, model.features());
  widen(model, data.x.dim(1));
  const std::vector<int> predicted = predict(model, data.x);
  write_atomically(o.output, [&](std::ostream& out) {
    for (int label : predicted) out << label << '\n';
  });
  int64_t right = 0;
  for (size_t i = 0; i < predicted.size(); ++i) right += predicted[i] == data.labels[i];
  const double accuracy = static_cast<double>(right) / static_cast<double>(predicted.size());
  if (common.json())
    print_json({{"accuracy", accuracy}, {"correct", right}, {"samples", predicted.size()}});
  else if (!o.quiet && !common.quiet)
    std::printf("Accuracy = %g%% (%ld/%zu) (classification)\n", 100 * accuracy, right,
                predicted.size());
  return done;
}

}  // namespace

void add_svm_predict(CLI::App& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App* verb =
      add_verb(app, action, "svm-predict", "Predicts with an SVM; LIBSVM's flags and files.",
               "limbic svm-predict test.txt train.model labels.txt", o, run, common);
  verb->add_option("-b", o->probability, "probability estimates: 0")->check(CLI::IsMember({0}));
  verb->add_flag("-q", o->quiet, "print nothing");
  verb->add_option("test_file", o->data, "LIBSVM text or .safetensors")->required();
  verb->add_option("model_file", o->model, "made by svm-train, ours or LIBSVM's")->required();
  verb->add_option("output_file", o->output, "predicted labels, one a line")->required();
}

}  // namespace limbic::cli
